package appliance_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// pair are two boards with all that can run between two.
func pair() files {
	return files{"b.toml": oneBoard, "main.toml": `name = "pair"
[[board]]
name = "a"
file = "b.toml"
[[board]]
name = "b"
file = "b.toml"
[[segment]]
name = "lan"
ports = ["a.eth0", "b.eth0"]
latency = "50us"
[[serial]]
name = "line"
ports = ["a.uart1", "b.uart1"]
[[wire]]
name = "wire"
from = "a.gpio0.out"
to = "b.gpio0.in"
delay = "1ms"
`}
}

// hearing has kernels say on their consoles what reaches them over links, and send what
// their programs are told to.
func hearing(t *testing.T) *guesttest.Kernels {
	ks := guesttest.New(t)
	ks.Boot = func(k *guesttest.Kernel) {
		k.Listen("eth0", func(frame []byte) {
			if binary.BigEndian.Uint16(frame[12:]) == etherType {
				k.Go(func() { k.Print("frame %d", frame[14]) })
			}
		})
		k.Go(func() {
			for {
				k.Print("uart %s", k.Read("uart1"))
			}
		})
		if k.Config.Board == "b" {
			k.Arm("gpio0", 0)
			k.Go(func() {
				for {
					k.Edge("gpio0", 0)
					k.Print("edge to %d", k.Sense("gpio0", 0))
				}
			})
		}
		k.Up()
	}
	ks.Programs["frame"] = func(p *guesttest.Program) int {
		frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, p.MAC("eth0")...)
		frame = append(binary.BigEndian.AppendUint16(frame, etherType), p.Args[1][0]-'0')
		p.Transmit("eth0", append(frame, make([]byte, 60-len(frame))...))
		return 0
	}
	ks.Programs["uart"] = func(p *guesttest.Program) int { p.Kernel.Write("uart1", []byte(p.Args[1])); return 0 }
	ks.Programs["drive"] = func(p *guesttest.Program) int { p.Drive("gpio0", 1, int(p.Args[1][0]-'0')); return 0 }
	ks.Programs["carrier"] = func(p *guesttest.Program) int {
		p.Print("carrier %t", p.Carrier("eth0"))
		return 0
	}
	return ks
}

// etherType is one for local experiments (IEEE 802, section 9.2.3).
const etherType = 0x88b5

// silent lets time pass, in which nothing may come on a board's console.
func (r *rig) silent(board string) {
	r.t.Helper()
	r.seen = len(r.all())
	r.pass(50 * time.Millisecond)
	if e, ok := r.look(func(e *simbus.Event) bool { return e.Kind == kindConsole && e.Board == board }); ok {
		r.t.Errorf("it is heard: %s", e.AppendJSON(nil))
	}
}

// TestLinks has each kind of link carry something, not carry it while it is cut, and carry
// it again.
func TestLinks(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		t.Parallel()
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		r.exec("a", "drive", "0")
		for _, tt := range []struct {
			link, program, first, second string
			hears, then                  string
		}{
			{"lan", "frame", "1", "2", "frame 1", "frame 2"},
			{"lan:b.eth0", "frame", "3", "4", "frame 3", "frame 4"},
			{"line", "uart", "x", "y", "uart x", "uart y"},
			{"wire", "drive", "1", "0", "edge to 1", ""},
		} {
			r.exec("a", tt.program, tt.first)
			r.line("b", "console", tt.hears)
			if tt.link == "wire" {
				r.must(r.Cut("wire")) // its end floats, which is low
				r.line("b", "console", "edge to 0")
				r.exec("a", "drive", "0")
				r.exec("a", "drive", "1")
				r.silent("b")
				r.must(r.Restore("wire"))
				r.line("b", "console", "edge to 1") // what it is by now
				continue
			}
			r.must(r.Cut(tt.link))
			r.exec("a", tt.program, "7")
			r.silent("b")
			r.must(r.Restore(tt.link))
			r.exec("a", tt.program, tt.second)
			r.line("b", "console", tt.then)
		}
		if err := r.Cut("nowhere"); err == nil {
			t.Error("a link that there is not can be cut")
		}
		for path, want := range map[string]string{"line.rate": "line is a serial link, and no board", "wire.delay": "wire is a wire, and no board"} {
			if _, _, err := r.Get(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("get %s: %v, want %s", path, err, want)
			}
		}
	})
}

// TestCarrier: a NIC has a carrier where it is on a segment that is whole.
func TestCarrier(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		carrier := func(board, want string) {
			t.Helper()
			r.exec(board, "carrier")
			r.line(board, "console", "carrier "+want)
		}
		carrier("a", "true")
		r.must(r.Cut("lan:a.eth0"))
		carrier("a", "false")
		carrier("b", "true")
		if v := r.value("a.eth0.link"); v != "down" {
			t.Errorf("the link is %s", v)
		}
		r.must(r.Restore("lan:a.eth0"))
		carrier("a", "true")
		r.must(r.Set("b.eth0.link", "down"))
		carrier("b", "false")
		r.must(r.Set("b.eth0.link", "up"))
		carrier("b", "true")
		r.must(r.Cut("lan"))
		carrier("a", "false")
		r.must(r.Restore("lan"))
		carrier("a", "true")
	})
}

// TestLatency: what crosses takes its time, exactly.
func TestLatency(t *testing.T) {
	r := start(t, hearing(t), pair(), appliance.Options{Virtual: true})
	r.up("a", "b")
	r.exec("a", "drive", "1")
	sent := r.until("a's line", func(e *simbus.Event) bool { return e.Kind == kindLevel && e.Board == "a" }).Time
	got := r.until("b's line", func(e *simbus.Event) bool { return e.Kind == kindLevel && e.Board == "b" }).Time
	if d := got.Sub(sent); d != time.Millisecond {
		t.Errorf("the wire took %s, want 1ms", d)
	}
	r.must(r.Set("lan.latency", "3ms"))
	r.exec("a", "frame", "1")
	sent = r.Now()
	got = r.line("b", "console", "frame 1").Time
	if d := got.Sub(sent); d < 3*time.Millisecond || d > 3*time.Millisecond+20*time.Microsecond { // with its bits, at 1 Gbit/s
		t.Errorf("the frame took %s, want 3ms", d)
	}
}

// TestLinksOutliveABoard: links do not mind that a board goes and comes back.
func TestLinksOutliveABoard(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		r.exec("a", "drive", "1")
		r.line("b", "console", "edge to 1")
		r.must(r.PullPlug("a"))
		r.line("b", "console", "edge to 0") // nobody drives it any more
		r.must(r.PullPlug("b"))
		r.must(r.PowerOn("b"))
		r.must(r.PowerOn("a"))
		r.up("a", "b")
		r.exec("a", "frame", "5")
		r.line("b", "console", "frame 5")
		r.exec("a", "uart", "z")
		r.line("b", "console", "uart z")
		r.exec("a", "drive", "1")
		r.line("b", "console", "edge to 1")
	})
}
