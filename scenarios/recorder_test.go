package scenarios

import (
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/simbus"
)

// TestLinesThatNobodyLookedFor: a console that says much while no step looks at it takes
// so much memory, and a step that looks for a line then is told that some are missing.
func TestLinesThatNobodyLookedFor(t *testing.T) {
	var r Recorder
	long := strings.Repeat("x", 4096)
	for i := range 20_000 {
		r.Event(&simbus.Event{Time: simbus.Time(i), Board: "b", Part: "console", Kind: appliance.KindConsole, Attrs: []simbus.Attr{simbus.Text("line", long)}})
	}
	c := r.consoles["b.console"]
	size := 0
	for _, l := range c.unread {
		size += l.event.Size()
	}
	if size != c.size || size > backlogBytes || len(c.unread)+c.lost != 20_000 {
		t.Errorf("%d lines of %d bytes, said to be %d; %d were given up", len(c.unread), size, c.size, c.lost)
	}
	list := r.forgotten([]string{"b.console"})
	if len(list) != 1 || !strings.Contains(list[0], "lines of b.console came before any step looked for one") {
		t.Errorf("it says %q", list)
	}
	r.Event(&simbus.Event{Board: "b", Kind: appliance.KindGuest, Attrs: []simbus.Attr{simbus.Text("state", "on")}})
	if list := r.forgotten([]string{"b.console"}); len(list) != 0 || c.size != 0 {
		t.Errorf("of the next boot it says %q, %d bytes", list, c.size)
	}
}
