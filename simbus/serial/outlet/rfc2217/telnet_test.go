package rfc2217

import (
	"fmt"
	"strings"
	"testing"
)

// parse is what a parser makes of pieces of a stream. What is next to one another and is
// data is one piece.
func parse(plain bool, pieces ...string) string {
	var got []string
	data := false
	add := func(is bool, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if is && data {
			got[len(got)-1] += text
		} else {
			got = append(got, text)
		}
		data = is
	}
	p := telnet{
		data:      func(p []byte) { add(true, "%s", p) },
		command:   func(c byte) { add(false, "(%d)", c) },
		negotiate: func(verb, option byte) { add(false, "(%d %d)", verb, option) },
		parameter: func(option byte, p []byte) { add(false, "(%d: %q)", option, p) },
		plain:     func() bool { return plain },
	}
	for _, piece := range pieces {
		p.feed([]byte(piece))
	}
	return strings.Join(got, "")
}

// TestTelnet takes streams apart, whole and cut anywhere.
func TestTelnet(t *testing.T) {
	long := strings.Repeat("x", maxParameters)
	for _, tt := range []struct {
		stream string
		plain  bool
		want   string
	}{
		{stream: "bytes\x00\r\x00\r\n", want: "bytes\x00\r\x00\r\n"},
		{stream: "text\r\x00\r\n\x00", plain: true, want: "text\r\r\n\x00"},
		{stream: "a\xff\xffb\xff\xff\xff\xff", want: "a\xffb\xff\xff"},
		{stream: "\r\xff\xff\x00", plain: true, want: "\r\xff\x00"},
		{stream: "a\xff\xfb\x2cb\xff\xf3c\xff\xf6", want: "a(251 44)b(243)c(246)"},
		{stream: "a\xff\xfa\x2c\x01\xff\xff\x00\xff\xf0b", want: "a(44: \"\\x01\\xff\\x00\")b"},
		{stream: "\xff\xfa\xff\xf0a", want: "a"},                                   // no option
		{stream: "\xff\xfa\x2c\x01\xff\xfb\x03a", want: "(44: \"\\x01\")(251 3)a"}, // no end
		{stream: "\xff\xfa" + long + "\xff\xf0a", want: fmt.Sprintf("(120: %q)a", long[1:])},
		{stream: "\xff\xfa" + long + "x\xff\xf0a", want: "a"}, // too long
		{stream: "\xff\xfa\x2c\xff\xfa\x2c\x01\xff\xf0", want: "(44: \"\")(44: \"\\x01\")"},
	} {
		for cut := range len(tt.stream) + 1 {
			if got := parse(tt.plain, tt.stream[:cut], tt.stream[cut:]); got != tt.want {
				t.Errorf("%q, cut at %d: %q, want %q", tt.stream, cut, got, tt.want)
			}
		}
	}
}

// TestEscape sends bytes back through the parser.
func TestEscape(t *testing.T) {
	for _, data := range []string{"", "text", "\xff", "a\xff\xffb"} {
		if got := parse(false, string(escaped(nil, []byte(data)))); got != data {
			t.Errorf("%q comes out as %q", data, got)
		}
	}
}
