package boards_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// joined has three boards, of which two share their time, and links between the first two.
const joined = `name = 'a'
[[board]]
name = 'x'
file = 'b.toml'
[[board]]
name = 'y'
file = 'b.toml'
lockstep = true
[[board]]
name = 'z'
file = 'b.toml'
lockstep = true
[[board]]
name = 'c'
file = 'b.toml'
slot = 'bay'
[[segment]]
name = 'lan'
ports = ['x.eth0', 'y.eth0']
[[serial]]
name = 'line'
ports = ['x.uart1', 'y.uart1']
[[wire]]
name = 'alarm'
from = 'x.g.out'
to = 'y.g.in'
[[can]]
name = 'bus'
ports = ['y.can0', 'z.can0']
`

func loadJoined(t *testing.T) *boards.Appliance {
	t.Helper()
	file := write(t, "a.toml", joined)
	board := "name = 'b'\n[[gpio]]\nname = 'g'\nlines = ['in', 'out', 'driven']\n[[gpio.chip]]\nname = 'key'\nmodel = 'button'\npins = { out = 'driven' }\n" +
		"[[serial]]\nname = 'uart1'\n[[serial]]\nname = 'uart2'\ndriver_enable = 'rts'\n[[can]]\nname = 'can0'\n[[can]]\nname = 'can1'\n" +
		"[[ethernet]]\nname = 'eth0'\n[[ethernet]]\nname = 'eth1'\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "b.toml"), []byte(board), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return a.Clone()
}

func TestJoinMistakes(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no TOML", "[[serial]\n", "argument:1:9: expected end of table array name delimiter ']', but got '\\n' instead"},
		{"nothing", "", "argument: there is nothing to plug: write [[board]] or the table of a link, such as [[serial]], as in an appliance file"},
		{"an unknown table", "[[wires]]\nname = 'w'", `argument:1:3: unknown key "wires": did you mean "wire"?`},
		{"an unknown key", "[[wire]]\nname = 'w'\nfrom = 'z.g.out'\nto = 'x.g.in'\ndeley = '1ms'", `argument:5:1: unknown key "deley": did you mean "delay"?`},
		{"no name", "[[serial]]\nports = ['x.uart2', 'z.uart1']", `argument:1:3: the serial link has no name: write name = "NAME"`},
		{"no such board", "[[serial]]\nname = 's'\nports = ['w.uart2', 'z.uart1']", `argument:3:10: there is no board "w": did you mean "c"?`},
		{"no such port", "[[serial]]\nname = 's'\nports = ['x.uart3', 'z.uart1']", `argument:3:10: board x has no serial port "uart3": did you mean "uart1"?`},
		{"a taken port", "[[serial]]\nname = 's'\nports = ['x.uart1', 'z.uart1']", "argument:3:10: the port x.uart1 is already on the serial link line, by a.toml:20: unplug line first"},
		{"a taken port of a segment", "[[segment]]\nname = 's'\nports = ['x.eth1', 'y.eth0']", "argument:3:20: the port y.eth0 is already on the segment lan, by a.toml:17: unplug lan:y.eth0 first"},
		{"a port twice", "[[serial]]\nname = 's'\nports = ['x.uart2', 'x.uart2']", "argument:3:21: the port x.uart2 is already on a serial link, in line 3"},
		{"a driven line", "[[wire]]\nname = 'w'\nfrom = 'z.g.out'\nto = 'y.g.in'", "argument:4:1: y.g.in is driven by another wire, in a.toml:23: two outputs on one line"},
		{"a taken name", "[[serial]]\nname = 'lan'\nports = ['x.uart2', 'z.uart1']", "argument:2:1: lan is plugged, by a.toml:17: unplug lan first"},
		{"the name of a card", "[[segment]]\nname = 'c'\nports = ['x.eth1']", `argument:2:1: "c" is the name of a board, in a.toml:13: 'plug' and 'unplug' could not tell which of the two they mean`},
		{"the name of a board that stays", "[[segment]]\nname = 'x'\nports = ['x.eth1']", ""},
		{"a board with the name of a link", "[[board]]\nname = 'lan'\nfile = 'b.toml'", `argument:2:1: "lan" is the name of a link, in a.toml:17: 'plug' and 'unplug' could not tell which of the two they mean`},
		{"a board with the name of its link", "[[board]]\nname = 'n'\nfile = 'b.toml'\n[[segment]]\nname = 'n'\nports = ['n.eth0']", `argument:5:1: "n" is the name of a board, in argument:1: 'plug' and 'unplug' could not tell which of the two they mean`},
		{"no delay", "[[wire]]\nname = 'w'\nfrom = 'z.g.out'\nto = 'x.g.in'\ndelay = '0s'", "argument:4:1: z and x run apart, and a wire joins boards that share their time: give it a delay, or write lockstep = true in the [[board]] tables of both"},
		{"a bus of boards apart", "[[can]]\nname = 'b2'\nports = ['x.can0', 'y.can1']", "argument:3:20: x and y run apart, and a CAN bus joins boards that share their time: write lockstep = true in the [[board]] tables of both"},
		{"a bus of boards together", "[[can]]\nname = 'b2'\nports = ['z.can1', 'y.can1']\n[[wire]]\nname = 'w'\nfrom = 'z.g.out'\nto = 'y.g.out'\ndelay = '0s'", ""},
		{"one more port apart", "[[can]]\nname = 'bus'\nports = ['x.can1']", "argument:3:10: y and x run apart, and a CAN bus joins boards that share their time: write lockstep = true in the [[board]] tables of both"},
		{"more ports", "[[segment]]\nname = 'lan'\nports = ['z.eth0']\n[[segment.port]]\nname = 'z.eth0'\nvlan = 3", ""},
		{"more ports, and more", "[[segment]]\nname = 'lan'\nports = ['z.eth0']\nlatency = '1ms'", "argument:4:1: lan is plugged, by a.toml:17, and can have more ports: write ports and port alone; set changes the rest"},
		{"more ports' settings", "[[segment]]\nname = 'lan'\nports = ['z.eth0']\n[[segment.port]]\nname = 'z.eth1'", `argument:5:1: the segment has no port "z.eth1": did you mean "z.eth0"?`},
		{"in a slot", "[[serial]]\nname = 's'\nports = ['bay.uart1', 'z.uart1']", ""},
		{"a table of a board", "[[disk]]\nname = 'd'\nsize = '1M'", `argument:1:3: [[disk]] is a table of a board: name that as well, as in 'plug BOARD TEXT'`},
		{"to the host", "[[serial]]\nname = 's'\nports = ['x.uart2']\npty = 'p'", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadJoined(t).Join(boards.Text{TOML: []byte(tt.text)})
			got := ""
			if err != nil {
				got = err.Error()
				for _, word := range strings.Fields(got) {
					if strings.HasPrefix(word, "/") {
						got = strings.Replace(got, word, filepath.Base(word), 1)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestJoin has links come, and take the ends of those that are unplugged.
func TestJoin(t *testing.T) {
	a := loadJoined(t)
	join := func(text, want string) *boards.Joining {
		t.Helper()
		j, err := a.Join(boards.Text{TOML: []byte(text)})
		switch {
		case err == nil && want == "":
			j.Apply()
		case err == nil || want == "" || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		return j
	}
	unplug := func(name string) {
		t.Helper()
		p, err := a.Plug(name)
		if err != nil {
			t.Fatal(err)
		}
		a.SetCable(p.Cable, false)
	}
	has := func(want string) {
		t.Helper()
		var got []string
		for _, l := range a.Joined() {
			s := l.Name
			for i := range l.Ends {
				s += " " + l.Ends[i].Name
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	join("[[serial]]\nname = 'more'\nports = ['z.uart1', 'x.uart2']", "")
	has("lan x.eth0 y.eth0, line x.uart1 y.uart1, alarm x.g.out y.g.in, bus y.can0 z.can0, more z.uart1 x.uart2")
	unplug("y.eth0")
	j := join("[[segment]]\nname = 'dmz'\nports = ['y.eth0']", "")
	has("lan x.eth0, line x.uart1 y.uart1, alarm x.g.out y.g.in, bus y.can0 z.can0, more z.uart1 x.uart2, dmz y.eth0")
	if len(j.Gone) != 1 || j.Gone[0].String() != "lan:y.eth0" {
		t.Errorf("gone: %v", j.Gone)
	}
	if _, err := a.Resolve("dmz:y.eth0.loss"); err != nil {
		t.Error(err)
	}
	if _, err := a.Resolve("lan:y.eth0.loss"); err == nil {
		t.Error("the port is on lan still")
	}
	unplug("line")
	unplug("alarm")
	join("[[wire]]\nname = 'alarm'\nfrom = 'y.g.out'\nto = 'x.g.in'\n[[serial]]\nname = 'other'\nports = ['z.uart2', 'y.uart1']", "")
	has("lan x.eth0, bus y.can0 z.can0, more z.uart1 x.uart2, dmz y.eth0, other z.uart2 y.uart1, alarm y.g.out x.g.in")
	unplug("dmz")
	join("[[segment]]\nname = 'lan'\nports = ['y.eth0']", "")
	has("lan x.eth0 y.eth0, bus y.can0 z.can0, more z.uart1 x.uart2, dmz, other z.uart2 y.uart1, alarm y.g.out x.g.in")
	join("[[segment]]\nname = 'dmz'\nports = ['z.eth1']", "")
	has("lan x.eth0 y.eth0, bus y.can0 z.can0, more z.uart1 x.uart2, other z.uart2 y.uart1, alarm y.g.out x.g.in, dmz z.eth1")
	join("[[wire]]\nname = 'again'\nfrom = 'y.g.out'\nto = 'x.g.in'", "x.g.in is driven by another wire, in argument:1")
}
