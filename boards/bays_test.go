package boards_test

import (
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// bays are a board and two cards that take turns in a slot.
const bays = "name = 'x'\n[[board]]\nname = 'a'\nfile = 'b.toml'\n[[board]]\nname = 'c'\nfile = 'b.toml'\nslot = 's'\n" +
	"[[board]]\nname = 'd'\nfile = 'd.toml'\nslot = 's'\nunplugged = true\n" // 14 lines

func TestSlotMistakes(t *testing.T) {
	for _, tt := range []struct{ name, from, to, more, want string }{
		{"good", "", "", "[[segment]]\nname = 'lan'\nports = ['a.eth0', 's.eth0']\n[[wire]]\nname = 'w'\nfrom = 's.g.l'\nto = 'a.g.l'\n[[serial]]\nname = 'line'\nports = ['a.u', 's.u']", ""},
		{"two at the start", "unplugged = true\n", "", "", "a.toml:9:3: a board is in slot s at the start, in line 5: the others that take turns in it need unplugged = true"},
		{"nothing at the start", "slot = 's'\n[[", "slot = 's'\nunplugged = true\n[[", "", ""},
		{"no slot", "slot = 's'\nunplugged", "unplugged", "", "a.toml:12:1: a board that is plugged later needs a slot: write slot = \"NAME\""},
		{"the name of a board", "slot = 's'\n[[", "slot = 'a'\n[[", "", `a.toml:8:1: "a" is the name of a board, in line 2: links could not tell which of the two they mean`},
		{"a link with the name of a card", "", "", "[[segment]]\nname = 'c'\nports = ['a.eth0']", `a.toml:6:1: "c" is the name of a link, in line 14: 'plug' and 'unplug' could not tell which of the two they mean`},
		{"a link to a card", "", "", "[[segment]]\nname = 'lan'\nports = ['c.eth0']", `a.toml:16:10: board c is in slot s: a link belongs to the slot: write "s.eth0"`},
		{"what no card has", "", "", "[[segment]]\nname = 'lan'\nports = ['s.eth7']", `a.toml:16:10: no board of slot s has an Ethernet port "eth7"`},
		{"a link to the host", "", "", "[[serial]]\nname = 'line'\nports = ['s.u']\npty = 'out'", "a.toml:16:10: the serial link cannot have an end in a slot: name a board that stays where it is"},
		{"a card with another bit rate", "", "", "[[can]]\nname = 'bus'\nports = ['a.can0', 's.can0']", "a.toml:16:20: a.can0 has 500000 bit/s and s.can0 has 250000: on one bus they must be the same"},
		{"two links on a port", "", "", "[[segment]]\nname = 'lan'\nports = ['s.eth0']\n[[segment]]\nname = 'wan'\nports = ['s.eth0']", "a.toml:19:10: the port s.eth0 is already on a segment, in line 16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := bays
			if tt.from != "" {
				if text = strings.Replace(text, tt.from, tt.to, 1); text == bays {
					t.Fatal("nothing was replaced")
				}
			}
			got := mistakes(t, write(t, "a.toml", text+tt.more, "b.toml", ecu, "d.toml", "name = 'd'\n[[gpio]]\nname = 'g'\nlines = ['', 'l']\n[[ethernet]]\nname = 'eth0'\n[[can]]\nname = 'can0'\nbitrate = 250000\n"))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSlotNames resolves what cards and the slot's ends are called, and notes what a card lacks.
func TestSlotNames(t *testing.T) {
	a, err := boards.Load(write(t, "a.toml", bays+"[[segment]]\nname = 'lan'\nports = ['a.eth0', 's.eth0']\n[[serial]]\nname = 'line'\nports = ['a.u', 's.u']",
		"b.toml", ecu, "d.toml", "name = 'd'\n[[gpio]]\nname = 'g'\nlines = ['', 'l']\n[[ethernet]]\nname = 'eth0'\n"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	for place, good := range map[string]bool{"c": true, "d": true, "a": false, "s": false, "d.eth0": true, "d.u": false, "lan:s.eth0": true, "c.u": true} {
		if err := a.CheckPlug(place); (err == nil) != good {
			t.Errorf("%s: %v", place, err)
		}
	}
	want := []string{"board d has nothing for s.u: the serial link line is open there while it is in the slot"}
	if diff := cmp.Diff(want, a.Notes(false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
