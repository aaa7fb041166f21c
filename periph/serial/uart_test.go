package serial_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"backplane/periph/serial"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	line "backplane/simbus/serial"
)

// domain is the clock of a UART in a test.
func domain(t testing.TB) (*simbus.Calendar, *simbus.Domain) {
	t.Helper()
	c := simbus.NewVirtual()
	t.Cleanup(c.Close)
	d, err := c.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

func advance(t testing.TB, c *simbus.Calendar, until simbus.Time) {
	t.Helper()
	if _, err := c.Advance(context.Background(), until, nil); err != nil {
		t.Fatal(err)
	}
}

// Queues and requests, as the driver has them.
const (
	rx = iota
	tx
	control
	event
)

const (
	receiver = iota + 1
	format
	lines
	breaks
	hold
	flush
	xchar
	rs485
)

// uart is a UART with its driver.
type uart struct {
	*serial.Controller
	*virtiotest.Driver
	t     testing.TB
	cal   *simbus.Calendar
	board *simbus.Domain
	sent  uint16
}

// newUART makes one of a configuration, whose driver has opened it.
func newUART(t testing.TB, change func(c *serial.Config)) *uart {
	t.Helper()
	u := &uart{t: t}
	u.cal, u.board = domain(t)
	c := serial.Kind.Config().(*serial.Config)
	if change != nil {
		change(c)
	}
	u.Controller = serial.NewController("uart1", u.board, c)
	u.Driver = virtiotest.Start(t, u.Controller, 64, 0)
	u.request(receiver, 1, 0, 0)
	return u
}

// request makes a request.
func (u *uart) request(kind uint16, args ...uint32) {
	u.t.Helper()
	b := make([]byte, 16)
	binary.LittleEndian.PutUint16(b, kind)
	binary.LittleEndian.PutUint16(b[2:], u.sent)
	for i, a := range args {
		binary.LittleEndian.PutUint32(b[4+4*i:], a)
	}
	u.Rings[control].Add([][]byte{b}, nil)
	u.board.Do(func() { u.Driver.Kick(control) })
	u.fine()
}

func (u *uart) fine() {
	u.t.Helper()
	if u.Failure != nil {
		u.t.Fatal(u.Failure)
	}
}

// rate sets 8N1 at a rate.
func (u *uart) rate(baud uint32) { u.t.Helper(); u.request(format, baud, 8|2<<8, 0) }

// transmit hands bytes over, in buffers of that size.
func (u *uart) transmit(p []byte, size int) {
	u.t.Helper()
	for len(p) > 0 {
		n := min(size, len(p))
		u.Rings[tx].Add([][]byte{p[:n]}, nil)
		u.sent++
		p = p[n:]
	}
	u.board.Do(func() { u.Driver.Kick(tx) })
	u.fine()
}

// room gives the device receive buffers of so many characters.
func (u *uart) room(buffers, size int) {
	u.t.Helper()
	for range buffers {
		u.Rings[rx].Add(nil, []int{4 + size})
	}
	u.board.Do(func() { u.Driver.Kick(rx) })
	u.fine()
}

// taken are the characters of receive buffers, each with its status.
func (u *uart) taken() (list []string) {
	for _, r := range u.Rings[rx].Results() {
		b := r.Bytes()
		list = append(list, fmt.Sprintf("%s %d", b[4:], binary.LittleEndian.Uint16(b)))
	}
	return list
}

// TestSent gives buffers back when their last stop bit has gone over the line, to the
// nanosecond, and without gaps.
func TestSent(t *testing.T) {
	for _, baud := range []uint32{50, 9600, 115200, 3_000_000, 4_000_000} {
		t.Run(fmt.Sprint(baud), func(t *testing.T) {
			u := newUART(t, nil)
			u.rate(baud)
			done, gone := 0, 0
			u.OnSent = func(p []byte) {
				gone += len(p)
				if exact := simbus.Time(int64(gone) * 10 * 1e9 / int64(baud)); u.board.Now() != exact {
					t.Errorf("byte %d has gone at %s, want %s", gone, u.board.Now(), exact)
				}
			}
			u.transmit(make([]byte, 160), 16)
			for i := range 10 {
				at := simbus.Time(int64(i+1) * 160 * 1e9 / int64(baud))
				advance(t, u.cal, at)
				if done += len(u.Rings[tx].Results()); done != i {
					t.Errorf("before %s, %d buffers are back, want %d", at, done, i)
				}
				advance(t, u.cal, at+1)
				if done += len(u.Rings[tx].Results()); done != i+1 {
					t.Errorf("at %s, %d buffers are back, want %d", at, done, i+1)
				}
			}
		})
	}
}

// TestOrder takes requests and buffers in the order in which they were made, however late
// the device is told of them.
func TestOrder(t *testing.T) {
	u := newUART(t, nil)
	u.rate(9600)
	var got bytes.Buffer
	u.OnSent = func(p []byte) { got.Write(p) }
	u.Rings[tx].Add([][]byte{[]byte("lost")}, nil)
	u.sent++
	before := u.sent
	u.Rings[tx].Add([][]byte{[]byte("kept")}, nil)
	u.sent = before
	u.request(flush) // the kick for all three
	u.sent++
	advance(t, u.cal, 1e9)
	if got.String() != "kept" { // nothing of the first had begun at that moment
		t.Errorf("sent %q, want %q", got.String(), "kept")
	}
	if n := len(u.Rings[tx].Results()); n != 2 {
		t.Errorf("%d buffers are back, want 2", n)
	}
}

// TestFlushAndHold stop after the character under way, and XOFF overtakes what waits.
func TestFlushAndHold(t *testing.T) {
	u := newUART(t, nil)
	u.rate(9600)
	var got bytes.Buffer
	u.OnSent = func(p []byte) { got.Write(p) }
	xoff := false
	u.Output(func(p []byte) { xoff = xoff || bytes.Contains(p, []byte{0x13}) })
	u.transmit([]byte("0123456789abcdefghij"), 16)
	advance(t, u.cal, 2_500_000) // in the middle of the third
	u.request(hold, 1, 0, 0)
	u.request(xchar, 0x13, 0, 0)
	advance(t, u.cal, 1e8)
	if got.String() != "012\x13" || !xoff {
		t.Errorf("on hold, sent %q", got.String())
	}
	u.request(hold, 0, 0, 0)
	advance(t, u.cal, 1e8+1_500_000) // in the middle of the next but one
	u.request(flush)
	advance(t, u.cal, 2e8)
	if got.String() != "012\x1334" {
		t.Errorf("at last, sent %q", got.String())
	}
	if n := len(u.Rings[tx].Results()); n != 2 {
		t.Errorf("%d buffers are back, want 2", n)
	}
}

// far joins a port to the UART's, with the same format.
func (u *uart) far(baud int) *line.Port {
	p := line.NewPort(u.board)
	p.SetFormat(line.EightN1(line.Baud(baud)))
	line.Join(line.End{Port: u.Port(), Domain: u.board}, line.End{Port: p, Domain: u.board}, line.Cable{})
	return p
}

// TestTrigger interrupts at the level, or four characters after the last one.
func TestTrigger(t *testing.T) {
	const char = simbus.Time(10 * 1e9 / 10_000)
	u := newUART(t, func(c *serial.Config) { c.FIFO, c.Trigger = 16, 8 })
	u.rate(10_000)
	u.room(4, 16)
	p := u.far(10_000)
	p.Transmit([]byte("0123456789a"))
	for _, step := range []struct {
		at   simbus.Time
		want string
	}{{8 * char, "[]"}, {8*char + 1, "[01234567 0]"}, {15 * char, "[]"}, {15*char + 1, "[89a 0]"}} {
		advance(t, u.cal, step.at)
		if got := fmt.Sprint(u.taken()); got != step.want {
			t.Errorf("before %s: %s, want %s", step.at, got, step.want)
		}
	}
}

// TestOpenedAgain forgets what has arrived when the driver opens the port again, and none of
// its buffers.
func TestOpenedAgain(t *testing.T) {
	u := newUART(t, nil)
	u.room(2, 10)
	p := u.far(115200)
	for i := range 10 {
		p.Transmit([]byte("x"))
		advance(t, u.cal, simbus.Time(2*i+1)*1e6)
		if got := u.taken(); len(got) != 1 {
			t.Fatalf("opened for the %d. time, the driver has %q", i+1, got)
		}
		u.room(1, 10)
		u.request(receiver, 0, 0, 0)
		p.Transmit([]byte("y"))
		advance(t, u.cal, simbus.Time(2*i+2)*1e6)
		u.request(receiver, 1, 0, 0)
	}
}

// TestOverrun loses what the FIFO has no room for, and says so behind what it keeps.
func TestOverrun(t *testing.T) {
	u := newUART(t, func(c *serial.Config) { c.FIFO = 16 })
	u.rate(115200)
	u.room(1, 10)
	lost := 0
	u.OnOverrun = func(n int) { lost += n }
	u.far(115200).Transmit([]byte("0123456789abcdefghij"))
	advance(t, u.cal, 1e8)
	if lost != 4 || u.Get("overrun").Int() != 4 || u.Get("received").Int() != 20 {
		t.Errorf("lost %d of 20, counted %v", lost, u.Get("overrun"))
	}
	u.room(2, 10)
	if got := fmt.Sprint(u.taken()); got != "[0123456789 0 abcdef 2]" {
		t.Errorf("the driver has %s", got)
	}
}

// TestDMA: a UART with DMA receives into memory beyond its FIFO, though RTS goes by that.
func TestDMA(t *testing.T) {
	u := newUART(t, nil)
	u.request(format, 4_000_000, 8|2<<8|1<<13, 0) // auto RTS
	u.request(lines, 2, 0, 0)                     // RTS
	p := u.far(4_000_000)
	p.Transmit(make([]byte, 3072))
	advance(t, u.cal, 1e9)
	if p.Inputs()&line.CTS != 0 {
		t.Error("RTS is active with a FIFO that is three quarters full")
	}
	p.Transmit(make([]byte, 64<<10-3072)) // it does not heed CTS
	advance(t, u.cal, 2e9)
	if lost := u.Get("overrun").Int(); lost != 0 {
		t.Errorf("of 64 KiB it has lost %d bytes", lost)
	}
	p.Transmit([]byte("more"))
	advance(t, u.cal, 3e9)
	if lost := u.Get("overrun").Int(); lost != 4 {
		t.Errorf("of four bytes more it has lost %d", lost)
	}
}

// TestErrors gives a character with an error as the last of its buffer.
func TestErrors(t *testing.T) {
	u := newUART(t, nil)
	u.request(format, 9600, 8|2<<4|2<<8, 0) // even
	u.room(8, 100)
	p := u.far(9600)
	f := line.EightN1(line.Baud(9600))
	f.Parity = line.Even
	p.SetFormat(f)
	p.Transmit([]byte("ab"))
	advance(t, u.cal, 1e7)
	f.Parity = line.Odd
	p.SetFormat(f)
	p.Transmit([]byte("c"))
	advance(t, u.cal, 2e7)
	p.SetBreak(true)
	advance(t, u.cal, 5e7)
	p.SetBreak(false)
	advance(t, u.cal, 6e7)
	if got := fmt.Sprintf("%q", u.taken()); got != `["ab 0" "c 4" "\x00 24"]` {
		t.Errorf("the driver has %s", got)
	}
	if u.Get("parity").Int() != 1 || u.Get("breaks").Int() != 1 || u.Get("framing").Int() != 0 {
		t.Errorf("counted parity %v, breaks %v", u.Get("parity"), u.Get("breaks"))
	}
}

// TestModemLines tells the driver of inputs, and flow control goes by them.
func TestModemLines(t *testing.T) {
	u := newUART(t, func(c *serial.Config) { c.FIFO = 16 })
	u.request(format, 115200, 8|2<<8|1<<12|1<<13, 0) // auto CTS and RTS
	for range 4 {
		u.Rings[event].Add(nil, []int{4})
	}
	u.request(lines, 6, 0, 0) // DTR, RTS
	p := u.far(115200)
	p.SetOutputs(line.DTR)
	var got bytes.Buffer
	u.OnSent = func(b []byte) { got.Write(b) }
	u.transmit([]byte("hello"), 5)
	advance(t, u.cal, 1e9)
	if got.Len() > 0 || u.Get("dsr").Int() != 1 || u.Get("cts").Int() != 0 {
		t.Errorf("without CTS, sent %q", got.String())
	}
	p.SetOutputs(line.DTR | line.RTS)
	advance(t, u.cal, 2e9)
	if got.String() != "hello" {
		t.Errorf("with CTS, sent %q", got.String())
	}
	var events []string
	for _, r := range u.Rings[event].Results() {
		events = append(events, fmt.Sprintf("%x", r.Bytes()))
	}
	if s := fmt.Sprint(events); s != "[40014001 60012000]" { // DSR and DCD, then CTS as well
		t.Errorf("events %s", s)
	}
	p.Transmit(make([]byte, 13)) // the driver takes none
	advance(t, u.cal, 3e9)
	if p.Inputs()&line.CTS != 0 {
		t.Error("RTS is active with a FIFO that is nearly full")
	}
	u.room(4, 16)
	u.room(4, 16)
	advance(t, u.cal, 4e9)
	if p.Inputs()&line.CTS == 0 {
		t.Error("RTS is not active with an empty FIFO")
	}
}

// TestRS485 drives RTS while it sends, with its delays.
func TestRS485(t *testing.T) {
	u := newUART(t, nil)
	u.rate(10_000)
	var got []string
	u.OnLines = func(l line.Lines) { got = append(got, fmt.Sprintf("%s %s", u.board.Now(), l)) }
	u.request(rs485, 1|2, 3, 2)
	u.transmit([]byte("hello"), 2)
	advance(t, u.cal, simbus.Time(time.Second))
	if s := fmt.Sprint(got); s != "[0.000000000s rts 0.010000000s ]" { // 3 + 5 + 2 ms
		t.Errorf("lines: %s", s)
	}
}

// TestBadDriver stops the device.
func TestBadDriver(t *testing.T) {
	for name, do := range map[string]func(u *uart){
		"more than the FIFO": func(u *uart) { u.Rings[tx].Add([][]byte{make([]byte, 17)}, nil); u.Driver.Kick(tx) },
		"nothing to send":    func(u *uart) { u.Rings[tx].Add(nil, []int{4}); u.Driver.Kick(tx) },
		"a short request":    func(u *uart) { u.Rings[control].Add([][]byte{{1}}, nil); u.Driver.Kick(control) },
		"an unknown request": func(u *uart) {
			u.Rings[control].Add([][]byte{append([]byte{99}, make([]byte, 15)...)}, nil)
			u.Driver.Kick(control)
		},
		"a bad format": func(u *uart) {
			u.Rings[control].Add([][]byte{append([]byte{2}, make([]byte, 15)...)}, nil)
			u.Driver.Kick(control)
		},
		"a small receive buffer": func(u *uart) { u.Rings[rx].Add(nil, []int{4}); _ = u.Input([]byte("x")); advance(u.t, u.cal, 1e9) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUART(t, func(c *serial.Config) { c.FIFO = 16 })
			do(u)
			if u.Failure == nil {
				t.Error("the device goes on")
			}
		})
	}
}
