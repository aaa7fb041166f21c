package appliance

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	tests := []struct {
		name    string
		pieces  []string
		want    []string
		pending string
	}{
		{name: "nothing"},
		{name: "one line", pieces: []string{"hello\n"}, want: []string{"hello"}},
		{name: "terminal line ends", pieces: []string{"a\r\nb\r\r\n"}, want: []string{"a", "b"}},
		{name: "line in pieces", pieces: []string{"he", "l", "lo\r", "\nnext"}, want: []string{"hello"}, pending: "next"},
		{name: "empty lines", pieces: []string{"\n\r\n\n"}, want: []string{"", "", ""}},
		{name: "carriage return within", pieces: []string{"50%\r100%\n"}, want: []string{"50%\r100%"}},
		{name: "prompt", pieces: []string{"ok\n", "login: "}, want: []string{"ok"}, pending: "login: "},
		{name: "just as long as may be", pieces: []string{long + "\n"}, want: []string{long}},
		{name: "just as long, terminal line end", pieces: []string{long, "\r", "\n", "b\n"}, want: []string{long, "b"}},
		{name: "too long", pieces: []string{long + long, "y\nb\n"}, want: []string{long, long, "y", "b"}},
		{name: "cut before a rune", pieces: []string{long[1:] + "€\n"}, want: []string{long[1:], "€"}},
		{name: "cut bytes that are no rune", pieces: []string{long[1:] + "\xff\xff\n"}, want: []string{long[1:] + "\xff", "\xff"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			l := lineCutter{Line: func(line string) { got = append(got, line) }}
			for _, p := range tt.pieces {
				if n, err := l.Write([]byte(p)); n != len(p) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", p, n, err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if l.Pending() != tt.pending {
				t.Errorf("Pending() = %q, want %q", l.Pending(), tt.pending)
			}
			before := len(got)
			l.Flush()
			if tt.pending != "" && (len(got) != before+1 || got[before] != tt.pending) {
				t.Errorf("after Flush: %q, want %q last", got, tt.pending)
			}
			if tt.pending == "" && len(got) != before {
				t.Errorf("Flush made a line of nothing: %q", got[before:])
			}
		})
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\n\nc"), 3)
	f.Add([]byte(strings.Repeat("é", maxLine)), 100)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		if size < 1 {
			size = 1
		}
		var whole, pieces []string
		a := lineCutter{Line: func(s string) { whole = append(whole, s) }}
		_, _ = a.Write(in)
		a.Flush()
		b := lineCutter{Line: func(s string) { pieces = append(pieces, s) }}
		for p := in; len(p) > 0; {
			n := min(size, len(p))
			_, _ = b.Write(p[:n])
			p = p[n:]
		}
		b.Flush()
		if diff := cmp.Diff(whole, pieces); diff != "" {
			t.Fatalf("the lines depend on the pieces (-whole +pieces):\n%s", diff)
		}
		for _, line := range whole {
			if len(line) > maxLine || strings.Contains(line, "\n") {
				t.Fatalf("line of %d bytes, or with a line feed", len(line))
			}
			if utf8.Valid(in) && !utf8.ValidString(line) {
				t.Fatalf("a rune was cut: %q", line)
			}
		}
	})
}
