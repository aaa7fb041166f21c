package simbus

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Event is one thing that happened, with its time. One ordered stream of them
// feeds scenario expectations, files, the live view and the determinism check.
type Event struct {
	Time  Time
	Board string // name of the board, empty for what belongs to the appliance
	Part  string // controller, chip, link or segment: "i2c0", "temp0", "lan"
	Kind  string // the name of a [Kind]
	Attrs []Attr // the details, in a fixed order for each kind
}

// Attr is one named value of an event. A value is text or a number.
type Attr struct {
	Key   string
	text  string
	num   int64
	isNum bool
}

// Text makes a text attribute. Bytes that are not UTF-8 are escaped when written, and
// what is hardly text at all is written in hexadecimal digits.
func Text(key, v string) Attr { return Attr{Key: key, text: v} }

// Int makes a whole-number attribute.
func Int[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uint](key string, v T) Attr {
	return Attr{Key: key, num: int64(v), isNum: true}
}

// Value is the attribute as text.
func (a Attr) Value() string {
	if a.isNum {
		return strconv.FormatInt(a.num, 10)
	}
	return a.text
}

// Number is the attribute as a number, and whether it is one.
func (a Attr) Number() (int64, bool) { return a.num, a.isNum }

// size is how many bytes of text the event has.
func (e *Event) size() (n int) {
	for i := range e.Attrs {
		n += len(e.Attrs[i].text)
	}
	return n
}

// Size is about how much memory the event takes, in bytes.
func (e *Event) Size() int { return eventSize + len(e.Attrs)*attrSize + e.size() }

// What an event and each of its attributes take beside the texts, in bytes.
const eventSize, attrSize = 88, 48

// Get returns the value of the attribute with that key, and whether there is one.
func (e *Event) Get(key string) (string, bool) {
	for i := range e.Attrs {
		if e.Attrs[i].Key == key {
			return e.Attrs[i].Value(), true
		}
	}
	return "", false
}

// AppendJSON appends the event as one JSON object without a newline. Equal
// events give equal bytes.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"t":`...)
	b = strconv.AppendInt(b, int64(e.Time), 10)
	for _, f := range [...]struct{ key, v string }{{"board", e.Board}, {"part", e.Part}, {"kind", e.Kind}} {
		if f.v != "" {
			b = append(b, `,"`...)
			b = append(b, f.key...)
			b = append(b, `":`...)
			b = appendJSONString(b, f.v)
		}
	}
	for i := range e.Attrs {
		a := &e.Attrs[i]
		b = append(b, ',')
		if !a.isNum && (noText(a.text) || strings.HasSuffix(a.Key, hexSuffix)) {
			b = appendJSONString(b, a.Key+hexSuffix)
			b = append(b, `:"`...)
			b = hex.AppendEncode(b, []byte(a.text))
			b = append(b, '"')
			continue
		}
		b = appendJSONString(b, a.Key)
		b = append(b, ':')
		if a.isNum {
			b = strconv.AppendInt(b, a.num, 10)
		} else {
			b = appendJSONString(b, a.text)
		}
	}
	return append(b, '}')
}

// hexSuffix is what the key of a text ends with that is written in hexadecimal digits.
const hexSuffix = "_hex"

// noText tells whether a text is written in hexadecimal digits, two for each byte: if
// JSON would have to escape more than half of its bytes, in six characters each. So an
// event is never much longer than what it tells of.
func noText(s string) bool {
	escapes := 0
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case ' ' <= c && c < 0x7f || c == '\n' || c == '\r' || c == '\t':
			i++
		case c < utf8.RuneSelf:
			escapes++
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				escapes++
			}
			i += size
		}
	}
	return 2*escapes > len(s)
}

const hexDigits = "0123456789abcdef"

// appendJSONString writes text as JSON. A byte that is not part of valid UTF-8, 0x80
// to 0xff, becomes \udcXX: a surrogate that no text has by itself, as Python's error
// handler "surrogateescape" (PEP 383) has it. So binary data stays readable, nothing is
// lost, and the byte E4 is not the text "ä", whose bytes are C3 A4.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, '\\', 'u', 'd', 'c', hexDigits[c>>4], hexDigits[c&15])
				i++
				continue
			}
			b = append(b, s[i:i+n]...)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
