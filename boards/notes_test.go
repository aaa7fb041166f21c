package boards_test

import (
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// TestLinkNotes: ends of serial links and buses that begin at different rates are no mistake,
// but people are told of them.
func TestLinkNotes(t *testing.T) {
	board := func(name, baud string) string {
		return "name = '" + name + "'\n[[serial]]\nname = 'u'\n" + baud + "\n[[serial]]\nname = 'v'\ndriver_enable = 'rts'\n" + baud
	}
	const links = "name = 'pair'\n[[board]]\nfile = 'a.toml'\n[[board]]\nfile = 'b.toml'\n" +
		"[[serial]]\nname = 's'\nports = ['a.u', 'b.u']\n[[rs485]]\nname = 'bus'\nports = ['b.v', 'a.v']\n"
	for _, tt := range []struct {
		a, b string
		want []string
	}{
		{"baud = 9600", "baud = 9600", nil},
		{"", "baud = 115200", nil},
		{"baud = 9600", "", []string{
			"serial link s: a.u begins at 9600 baud and b.u at 115200: they do not understand each other until their guests set the same rate",
			"RS-485 bus bus: b.v begins at 115200 baud and a.v at 9600: they do not understand each other until their guests set the same rate",
		}},
	} {
		a, err := boards.Load(write(t, "main.toml", links, "a.toml", board("a", tt.a), "b.toml", board("b", tt.b)), catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		for _, virtual := range []bool{true, false} {
			if diff := cmp.Diff(tt.want, a.Notes(virtual)); diff != "" {
				t.Errorf("%q and %q: (-want +got):\n%s", tt.a, tt.b, diff)
			}
		}
	}
	a, err := boards.Load(write(t, "main.toml", strings.Replace(links, ", 'b.u']", "]\npty = 'x'", 1), "a.toml", board("a", ""), "b.toml", board("b", "")), catalog.All)
	if err != nil || len(a.Notes(true)) != 0 {
		t.Errorf("of a port that leads to the host: %v, %v", a.Notes(true), err)
	}
}
