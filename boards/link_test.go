package boards_test

import (
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// ecu is a board with lines, a UART, an Ethernet and a CAN port, and car are two of them on
// a segment and a bus; more links may follow.
const (
	ecu = "name = 'ecu'\n[[gpio]]\nname = 'g'\nlines = ['l', 'm']\n[[serial]]\nname = 'u'\n[[ethernet]]\nname = 'eth0'\n[[can]]\nname = 'can0'\n"
	car = "name = 'car'\n[[board]]\nname = 'a'\nfile = 'b.toml'\n[[board]]\nname = 'b'\nfile = 'b.toml'\n" +
		"[[segment]]\nname = 'lan'\nports = ['a.eth0', 'b.eth0']\n[[can]]\nname = 'bus'\nports = ['a.can0', 'b.can0']\n" // 14 lines
)

func TestLinkMistakes(t *testing.T) {
	for _, tt := range []struct{ name, more, want string }{
		{"good", "[[wire]]\nname = 'w'\nfrom = 'a.g.l'\nto = 'b.g.l'\n[[serial]]\nname = 's'\nports = ['a.u', 'b.u']\n[[capture]]\nname = 'c'\nat = ['bus', 'bus:a.can0', 'lan']", ""},
		{"no end", "[[wire]]\nname = 'w'\nto = 'b.g.l'", `a.toml:14:3: the wire has no from: write from = "BOARD.PLACE"`},
		{"no place", "[[wire]]\nname = 'w'\nfrom = ''\nto = 'b.g.l'", `a.toml:16:1: "" is not a place on a board: write board.part`},
		{"to itself", "[[wire]]\nname = 'w'\nfrom = 'a.g.m'\nto = 'a.g.l'", "a.toml:14:3: the wire leads from board a to itself: solder its parts to one line"},
		{"on two links", "[[segment]]\nname = 'wan'\nports = ['a.eth0']", "a.toml:16:10: the port a.eth0 is already on a segment, in line 10"},
		{"a port of another kind", "[[segment]]\nname = 'wan'\nports = ['a.can0']", "a.toml:16:10: board a has no Ethernet port \"can0\": there is only eth0"},
		{"no such key", "[[serial]]\nname = 's'\nports = ['a.u', 'b.u']\nbaud = 9600", `a.toml:17:1: unknown key "baud": there are delay, format, listen, ports, pty, wiring`},
		{"no such table", "[[wires]]\nname = 'w'", `a.toml:14:3: unknown key "wires": did you mean "wire"?`},
		{"a taken name", "[[serial]]\nname = 'bus'\nports = ['a.u', 'b.u']", `a.toml:12:1: the name "bus" is taken, in line 14`},
		{"a filter of frames that are not Ethernet's", "[[capture]]\nname = 'c'\nat = ['lan', 'bus:a.can0']\nfilter = 'arp'", "a.toml:16:14: bus:a.can0 is not Ethernet; only Ethernet frames can be filtered"},
		{"a capture of a wire", "[[wire]]\nname = 'w'\nfrom = 'a.g.l'\nto = 'b.g.l'\n[[capture]]\nname = 'c'\nat = ['w']", `a.toml:20:7: there is no segment "w": there are bus, lan`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakes(t, write(t, "a.toml", car+tt.more, "b.toml", ecu))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLinkNames resolves what names lead to among links of all kinds.
func TestLinkNames(t *testing.T) {
	a, err := boards.Load(write(t, "a.toml", car+"[[wire]]\nname = 'w'\nfrom = 'a.g.l'\nto = 'b.g.l'\n[[rs485]]\nname = 'field'\nports = ['a.u', 'b.u']",
		"b.toml", strings.Replace(ecu, "name = 'u'\n", "name = 'u'\ndriver_enable = 'rts'\n", 1)), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		check      func(string) error
		name, want string
	}{
		{a.CheckLink, "w", ""},
		{a.CheckLink, "bus", ""},
		{a.CheckLink, "bus:a.can0", ""},
		{a.CheckLink, "field", ""},
		{a.CheckLink, "field:a.u", ""},
		{a.CheckLink, "field:a.v", `RS-485 bus field has no port "a.v"`},
		{a.CheckPlug, "field:a.u", ""},
		{a.CheckLink, "w:a.g.l", `w is a wire, which is cut as a whole: write "w"`},
		{a.CheckLink, "x:a.g.l", `there is no segment, link or wire "x"`},
		{a.CheckLink, "lan:a.can0", `segment lan has no port "a.can0"`},
		{a.CheckPlace, "w", `there is no segment "w"`},
		{a.CheckFrames, "lan", ""},
		{a.CheckFrames, "bus", `bus is a CAN bus, and frames is for Ethernet: write event = "can"`},
	} {
		err := tt.check(tt.name)
		if got := message(err); (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for place, want := range map[string]string{"a.u": "field:a.u", "b.can0": "bus:b.can0", "field": "field", "w": "w"} {
		if p, err := a.Plug(place); err != nil || p.Cable.String() != want {
			t.Errorf("unplug %s: %v, %v, want %s", place, p, err, want)
		}
	}
	for path, want := range map[string]string{"lan.loss": "", "lan:a.eth0.rx.frames": "", "bus:b.can0.tec": "",
		"bus:b.can0.tek": `bus:b.can0: there is no property "tek": did you mean "tec"?`, "w.level": `w is a wire, and no board`,
		"bus:b.can0.tx.tec": `bus:b.can0.tx: there is no property "tec"`} {
		_, err := a.Resolve(path)
		if got := message(err); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
