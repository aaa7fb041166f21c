package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What guests print may hold whatever bytes, among them the escape sequences of
// terminals. Reports show those, and do not send them.

// plainText tells whether a terminal shows a text as it is.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) })
}

// PlainText is a text as reports show it, for all else that goes to a terminal and may name what
// others have made up.
func PlainText(s string) string { return escape(s) }

// escape writes what a terminal would not show as Go does: \x1b, \r, \u200b. Tabs
// and the ends of lines stay.
func escape(s string) string {
	if plainText(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n' || r == '\t' || strconv.IsPrint(r):
			b.WriteString(s[:n])
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// escape makes all of the failure's text fit to be shown.
func (f *Failure) escape() {
	f.What = escape(f.What)
	for _, lines := range [][]string{f.Seen, f.Events, f.Console, f.said} {
		for i := range lines {
			lines[i] = escape(lines[i])
		}
	}
}
