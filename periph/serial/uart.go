package serial

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/periph/console"
	"backplane/simbus"
)

// A character of 8N1 is a start bit, eight data bits and a stop bit.
const bitsPerChar = 10

// FIFO is how many bytes a UART takes from the guest ahead of its line before
// it leaves the rest with the guest's driver, whose writers then sleep. Real
// ones take 16 to 256; this one is as much as the driver hands over at once.
const FIFO = 4096

// UART is a serial port of the guest: a [console.Console] at the end of a line of
// 8N1 characters. It is a [virtio.Device] and a [periph.Terminal]. The Console's OnOutput
// is taken: what the guest sends comes out of OnSend, OnSent and the terminal.
//
// Bytes go over the line in pieces: at most 16 bytes, or what a millisecond
// carries if that is more. A piece is without gaps and counts as arrived with
// its last bit, so that byte i of n arrived (n-1-i) characters before it.
//
// There is no flow control: a guest that does not read what arrives loses it
// once Limit bytes wait, as on a line without RTS and CTS. OnOverrun tells.
type UART struct {
	*console.Console
	// OnSend, if set, is called when a piece that the guest sent begins to go
	// over the line. at is when its last bit arrives: whoever is at the other
	// end gives it to its In then. p is the callee's to keep, and not to change.
	OnSend func(p []byte, at simbus.Time)
	// OnSent, if set, is called with each such piece when it has gone over.
	OnSent func(p []byte)
	// OnReceive, if set, is called with each piece that arrives for the guest.
	OnReceive func(p []byte)
	// OnOverrun, if set, is called when the last lost bytes of a piece that
	// arrived were dropped, since the guest had not read what came before, or had no power.
	OnOverrun func(lost int)

	// Bytes that have gone over the line; those that were dropped are among the
	// received, unless there was no power.
	sent, received, dropped uint64

	name  string
	clock simbus.Clock
	baud  int
	tx    *pacer         // from the guest
	feed  *pacer         // what Input was given
	off   bool           // it has no power
	out   func(p []byte) // the terminal's, nil for none
}

// NewUART makes a serial port of baud bits a second, which must be positive.
func NewUART(name string, clock simbus.Clock, baud int) *UART {
	u := &UART{Console: console.New(name), name: name, clock: clock, baud: baud}
	u.OnOutput = u.send
	u.tx = newPacer(clock, u.charTime, u.begin, u.gone)
	u.feed = newPacer(clock, u.charTime, nil, func(p []byte) { _ = u.In(p) })
	return u
}

// Baud is the line's rate in bits a second.
func (u *UART) Baud() int { return u.baud }

// charTime is how long n characters take on the line.
func (u *UART) charTime(n int) time.Duration {
	return time.Duration(int64(n) * bitsPerChar * int64(time.Second) / int64(u.baud))
}

// Power gives the port power, as it has at first, or takes it. What arrives without is lost.
func (u *UART) Power(on bool) {
	u.off = !on
	if !on {
		u.Forget()
	}
}

// In gives the guest bytes whose last bit arrives now. The error is [console.Console.Write]'s.
func (u *UART) In(p []byte) error {
	if u.off {
		u.overrun(len(p))
		return nil
	}
	u.received += uint64(len(p))
	if u.OnReceive != nil {
		u.OnReceive(p)
	}
	n, err := u.Write(p)
	if n < len(p) {
		u.overrun(len(p) - n)
	}
	return err
}

func (u *UART) overrun(lost int) {
	u.dropped += uint64(lost)
	if u.OnOverrun != nil {
		u.OnOverrun(lost)
	}
}

// Output lets f have what has gone over the line from the guest.
func (u *UART) Output(f func(p []byte)) { u.out = f }

// Input sends the guest bytes from a source that has no line of its own, such as
// a scenario or a terminal: they arrive at the line's rate. It takes all or
// nothing; it takes nothing when [console.InputLimit] bytes are under way.
func (u *UART) Input(p []byte) error {
	if len(p) > u.Room() {
		return fmt.Errorf("%s: send %d bytes: %d are still to go over the line, of at most %d", u.name, len(p), u.feed.waiting(), console.InputLimit)
	}
	u.feed.put(p)
	return nil
}

// Room is how many bytes Input takes.
func (u *UART) Room() int { return console.InputLimit - u.feed.waiting() }

// Discard forgets what has not begun to go over the line, both ways, and what
// has arrived: it is for a board whose power is cut. Stop alone lets what the guest sent go out, since a program that
// has closed its port may believe that it has.
func (u *UART) Discard() {
	u.tx.discard()
	u.feed.discard()
	u.Forget()
}

// send takes the guest's output.
func (u *UART) send(p []byte) {
	u.tx.put(p)
	if u.tx.waiting() >= FIFO {
		u.Hold(true)
	}
}

func (u *UART) begin(p []byte, at simbus.Time) {
	if u.OnSend != nil {
		u.OnSend(p, at)
	}
}

func (u *UART) gone(p []byte) {
	u.sent += uint64(len(p))
	if u.OnSent != nil {
		u.OnSent(p)
	}
	if u.out != nil {
		u.out(p)
	}
	if u.Held() && u.tx.waiting() < FIFO/2 {
		u.Hold(false)
	}
}

// Get reads a counter.
func (u *UART) Get(property string) periph.Value {
	switch property {
	case propertySent:
		return periph.Num(float64(u.sent))
	case propertyReceived:
		return periph.Num(float64(u.received))
	}
	return periph.Num(float64(u.dropped))
}

// Set refuses.
func (u *UART) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s is read-only", property)
}

// Socket is where a serial link is joined: the port itself.
func (u *UART) Socket(name string) any {
	if name != "" {
		return nil
	}
	return u
}

// PieceTime is how long a piece of 16 bytes takes on the line.
func (u *UART) PieceTime() time.Duration { return u.charTime(pieceBytes) }
