package outlet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"

	"github.com/google/go-cmp/cmp"
)

// bench is a board's port with the host's end of a cable in it. It notes what both see.
type bench struct {
	t     *testing.T
	cal   *simbus.Calendar
	d     *simbus.Domain
	board *serial.Port
	end   *outlet.End
	log   []string
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(b.cal.Close)
	var err error
	if b.d, err = b.cal.AddDomain("board"); err != nil {
		t.Fatal(err)
	}
	b.board = serial.NewPort(b.d)
	b.board.OnReceive = func(r serial.Received) { b.note("board %q %s", r.Data, r.Flags) }
	b.board.OnInputs = func(now, _ serial.Lines) { b.note("board sees %s", now) }
	b.end = outlet.Plug(b.board, b.d, serial.EightN1(serial.Baud(9600)), serial.Cable{})
	b.end.Program = b
	return b
}

// note notes what happens, with the time in units of a bit at 9600 baud.
func (b *bench) note(format string, args ...any) {
	bits := float64(b.d.Now()) * 9600 / 1e9
	b.log = append(b.log, strings.TrimSpace(fmt.Sprintf("%.0f ", bits)+fmt.Sprintf(format, args...)))
}

func (b *bench) Receive(p []byte, flags serial.Flags) { b.note("host %q %s", p, flags) }
func (b *bench) Lines(l serial.Lines)                 { b.note("host sees %s", l) }
func (b *bench) Sent(n int)                           { b.note("gone %d", n) }

// at lets something happen after so many bits at 9600 baud.
func (b *bench) at(bits int, f func()) {
	b.d.Do(func() { b.d.At(simbus.Time(int64(bits)*1e9/9600), f) })
}

// do does acts; those that take bytes are "send BYTES".
func (b *bench) do(acts ...string) {
	for _, text := range acts {
		var data []byte
		if rest, is := strings.CutPrefix(text, "send "); is {
			text, data = "send", []byte(rest)
		}
		a, err := outlet.ParseAct(text, data)
		if err == nil {
			err = b.end.Do(a)
		}
		if err != nil {
			b.note("%s: %v", text, err)
		}
	}
}

// want lets it all happen.
func (b *bench) want(want string) {
	b.t.Helper()
	if _, err := b.cal.Advance(context.Background(), simbus.Time(10*time.Second), nil); err != nil {
		b.t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(want), "\n"), b.log); diff != "" {
		b.t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOrder: settings and breaks hold for what comes after them, not for what waits.
func TestOrder(t *testing.T) {
	b := start(t)
	b.at(0, func() {
		b.do("open", "send ab", "set 19200 8N1 none", "send c", "break 100ms", "set 9600 8N1 none", "send d")
	})
	b.at(20, func() { b.board.SetFormat(serial.EightN1(serial.Baud(19200))) })
	b.at(200, func() { b.board.SetFormat(serial.EightN1(serial.Baud(9600))) })
	b.want(`
0 host sees
0 board sees cts dsr dcd
20 board "ab"
20 gone 2
25 gone 1
25 board "c"
30 board "\x00" framing break
995 gone 1
995 board "d"
`)
}

// TestDisagree: a program that sets another rate than the board's has what it would have on
// a bench.
func TestDisagree(t *testing.T) {
	b := start(t)
	b.at(0, func() { b.do("open", "set 4800 8N1 none", "send U") })
	b.at(100, func() { b.board.Transmit([]byte("hi")) })
	b.at(200, func() { b.do("set 9600 8E1 none") })
	b.at(300, func() { b.board.Transmit([]byte("hi")) })
	b.want(`
0 host sees
0 board sees cts dsr dcd
10 board "f" framing
20 gone 1
22 board "\xe6"
120 host "\x9c"
311 host "h" framing
323 host "\xda"
`)
}

// TestLines: a null modem. A program that is not there is one that is off.
func TestLines(t *testing.T) {
	b := start(t)
	b.at(0, func() { b.board.SetOutputs(serial.Outputs); b.board.Transmit([]byte("nobody")) })
	b.at(100, func() { b.do("open", "lines dtr", "lines") })
	b.at(200, func() { b.board.SetOutputs(serial.RTS) })
	b.at(300, func() { b.do("lines rts", "close", "send x", "open") })
	b.want(`
100 host sees cts dsr dcd
100 board sees cts dsr dcd
100 board sees dsr dcd
100 board sees
200 host sees cts
300 send: the port is not open
300 board sees cts
300 board sees
300 board sees cts dsr dcd
`)
}

// TestHardwareFlow waits for CTS; what is dropped is said to be gone.
func TestHardwareFlow(t *testing.T) {
	b := start(t)
	b.at(0, func() { b.do("open", "set 9600 8N1 rtscts", "send abc", "break on", "send de") })
	b.at(100, func() { b.board.SetOutputs(serial.RTS) })
	b.at(115, func() { b.board.SetOutputs(0) })
	b.at(200, func() { b.do("purge") })
	b.at(300, func() { b.do("break off", "send f", "set 9600 8N1 none", "send g") })
	b.want(`
0 host sees
0 board sees cts dsr dcd
100 host sees cts
115 host sees
120 gone 2
120 board "ab"
200 gone 3
210 board "\x00" framing break
311 gone 1
311 board "f"
321 gone 1
321 board "g"
`)
}

// TestSoftwareFlow heeds XOFF and XON, and keeps them to itself.
func TestSoftwareFlow(t *testing.T) {
	b := start(t)
	b.at(0, func() { b.do("open", "set 9600 8N1 xonxoff", "send abcd") })
	b.at(5, func() { b.board.Transmit([]byte("x\x13y")) })
	b.at(100, func() { b.board.Transmit([]byte("\x11")) })
	b.at(200, func() { b.board.Transmit([]byte("\x13")) })
	b.at(300, func() { b.do("send e", "set 9600 8N1 none") })
	b.at(400, func() { b.board.Transmit([]byte("\x13")); b.do("send f") })
	b.want(`
0 host sees
0 board sees cts dsr dcd
15 host "x"
30 gone 3
30 board "abc"
35 host "y"
120 gone 1
120 board "d"
310 gone 1
310 board "e"
410 gone 1
410 host "\x13"
410 board "f"
`)
}
