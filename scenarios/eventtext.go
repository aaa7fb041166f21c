package scenarios

import (
	"fmt"
	"regexp"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph/i2c"
	"backplane/simbus"
)

// text writes an event for people. What is long is shortened: the record has all of it.
func text(e *simbus.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ", e.Time)
	if at := place(e.Board, e.Part); at != "" {
		b.WriteString(at + " ")
	}
	b.WriteString(e.Kind)
	for _, a := range e.Attrs {
		v := a.Value()
		if e.Kind == i2c.KindTransaction {
			v = briefBytes(v)
		}
		if v = brief(v); v == "" || strings.ContainsAny(v, " =\"") || !plainText(v) {
			fmt.Fprintf(&b, " %s=%q", a.Key, v)
		} else {
			fmt.Fprintf(&b, " %s=%s", a.Key, v)
		}
	}
	return b.String()
}

// manyBytes are more bytes of an I2C message than a reader needs, the first of which
// tell what it is about.
var manyBytes = regexp.MustCompile(`((?: [0-9a-f]{2}){8})((?: [0-9a-f]{2}){2,})`)

// briefBytes leaves bytes of I2C messages out.
func briefBytes(messages string) string {
	return manyBytes.ReplaceAllStringFunc(messages, func(all string) string {
		parts := manyBytes.FindStringSubmatch(all)
		return fmt.Sprintf("%s [%d bytes more]", parts[1], len(parts[2])/len(" 00"))
	})
}

// A long text is shown by its beginning and its end, of so many bytes.
const (
	shownFirst = 200
	shownLast  = 100
)

// brief leaves out the middle of a long text.
func brief(s string) string { return tomlfile.Shorten(s, shownFirst, shownLast) }
