package scenarios

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Scalar is a number, a text, or true or false.
type Scalar struct{ v any }

// UnmarshalTOML takes the value that TOML has read.
func (s *Scalar) UnmarshalTOML(v any) error {
	if _, ok := format(v); !ok {
		return errors.New("must be a finite number, text in quotes, or true or false")
	}
	s.v = v
	return nil
}

// String is the value as a property is set to it.
func (s *Scalar) String() string {
	text, _ := format(s.v)
	return text
}

// JSONSchema describes the type to editors.
func (Scalar) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string"}, {Type: "boolean"}}}
}

// format writes a value of TOML as the text that a property is set to.
func format(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "on", true
		}
		return "off", true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return "", false
}

// parseHex reads bytes: two hexadecimal digits each, with spaces anywhere between them.
func parseHex(text string) ([]byte, error) {
	var all []byte
	for _, word := range strings.Fields(text) {
		b, err := hex.DecodeString(word)
		if err != nil {
			return nil, fmt.Errorf("%q is not a byte: write two hexadecimal digits for each, such as \"01 03 ff\"", word)
		}
		all = append(all, b...)
	}
	if len(all) == 0 {
		return nil, errors.New("there are no bytes: write two hexadecimal digits for each, such as \"01 03 ff\"")
	}
	return all, nil
}

// test is what an expectation says of a property's value.
type test struct {
	equals       *string
	above, below *float64
	between      []float64
}

// holds tells whether the value is as it must be. Numbers are compared as
// numbers, switches by their position, other text as it is.
func (t *test) holds(value string) bool {
	if t.equals != nil && !equal(value, *t.equals) {
		return false
	}
	if t.above == nil && t.below == nil && t.between == nil {
		return true
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return false
	}
	return (t.above == nil || n > *t.above) && (t.below == nil || n < *t.below) &&
		(t.between == nil || n >= t.between[0] && n <= t.between[1])
}

func equal(a, b string) bool {
	if a == b || position[a] != "" && position[a] == position[b] {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// position gives the words for a switch's positions, which are those that a
// property takes, one form each.
var position = map[string]string{
	"on": "on", "true": "on", "1": "on", "high": "on", "closed": "on",
	"off": "off", "false": "off", "0": "off", "low": "off", "open": "off",
}

func (t *test) String() string {
	var s string
	add := func(format string, args ...any) {
		if s != "" {
			s += " and "
		}
		s += fmt.Sprintf(format, args...)
	}
	if t.equals != nil {
		add("equal to %s", *t.equals)
	}
	if t.above != nil {
		add("above %v", *t.above)
	}
	if t.below != nil {
		add("below %v", *t.below)
	}
	if t.between != nil {
		add("between %v and %v", t.between[0], t.between[1])
	}
	if s == "" {
		return "readable"
	}
	return s
}
