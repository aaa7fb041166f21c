package periph

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Size is an amount of memory in bytes, written "64M" with K, M, G or T for
// powers of 1024.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	n, err := scaled(string(b), 1024, "KMGT")
	if err != nil {
		return fmt.Errorf("%q is not an amount of memory: write a number and K, M, G or T, such as \"64M\"", b)
	}
	*s = Size(n)
	return nil
}

// String writes the size as UnmarshalText reads it.
func (s Size) String() string {
	for i, unit := range []string{"T", "G", "M", "K"} {
		if u := Size(1) << (10 * (4 - i)); s >= u && s%u == 0 {
			return strconv.FormatInt(int64(s/u), 10) + unit
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Rate is an amount of bits a second, written "100M" with k, M or G for powers of 1000.
type Rate int64

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(b []byte) error {
	n, err := scaled(strings.ToUpper(string(b)), 1000, "KMG")
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a rate in bits per second: write a number and k, M or G, such as \"100M\"", b)
	}
	*r = Rate(n)
	return nil
}

// String writes the rate as UnmarshalText reads it, and 0 as unlimited.
func (r Rate) String() string {
	if r == 0 {
		return "unlimited"
	}
	for _, unit := range []struct {
		name string
		of   Rate
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if r%unit.of == 0 {
			return strconv.FormatInt(int64(r/unit.of), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(r), 10)
}

// Duration is a length of time, written "50us" (time.ParseDuration).
type Duration time.Duration

// UnmarshalText reads a duration, which may not be negative.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration: write a number and ns, us, ms, s, m or h, such as \"50us\"", b)
	}
	*d = Duration(v)
	return nil
}

// String writes the duration as UnmarshalText reads it.
func (d Duration) String() string { return time.Duration(d).String() }

// Milliseconds is the time of a property or option that is a number of ms.
func Milliseconds(ms float64) time.Duration {
	return time.Duration(ms * float64(time.Millisecond))
}

func scaled(s string, base int64, units string) (int64, error) {
	factor := int64(1)
	if len(s) > 0 {
		if i := strings.IndexByte(units, s[len(s)-1]); i >= 0 {
			s = s[:len(s)-1]
			for range i + 1 {
				factor *= base
			}
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n < 0 || n > math.MaxInt64/factor) {
		err = strconv.ErrRange
	}
	return n * factor, err
}

// JSONSchema describes the type to editors.
func (Size) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^[0-9]+[KMGT]?$", Examples: []any{"64M"}}
}

// JSONSchema describes the type to editors.
func (Rate) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^[0-9]+[kMG]?$", Examples: []any{"100M"}}
}

// JSONSchema describes the type to editors.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^([0-9.]+(ns|us|µs|ms|s|m|h))+$", Examples: []any{"50us"}}
}
