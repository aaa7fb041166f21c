package serial

import (
	"strings"
	"time"

	"backplane/simbus"
)

// Port is one end of a line: a transmitter, a receiver, and modem lines. It has power and its
// driver and receiver are enabled at first; nothing is joined to it. Its methods are called
// on the goroutine that drives its clock, and so are the functions that it calls.
type Port struct {
	// OnSent, if set, is called when the last stop bit of data has gone over the line: of
	// what one call of Transmit was given, or of a part. It is not to be changed.
	OnSent func(data []byte)
	// OnSentNext, if set, is called so for a character of TransmitNext.
	OnSentNext func(char byte)
	// OnReceive, if set, is called with what arrives.
	OnReceive func(Received)
	// OnInputs, if set, is called after inputs have changed.
	OnInputs func(now, changed Lines)

	clock simbus.Clock
	line  medium // nil if nothing is joined to it
	off   bool   // it has no power
	wants Format // as it was set, without the clock's error
	clockError

	tx transmitter
	rx receiver

	outputs Lines
	outside Lines // inputs as parts and scenarios have set them
	linked  Lines // inputs as the line has them
	driven  Lines // which those are
}

// Received is what has arrived at a receiver: characters without a gap. Flags belong to the
// last of them; all others are good.
type Received struct {
	Data  []byte      // not to be changed
	End   simbus.Time // of the last one's stop bit: not after the present, and before it only by less than a character
	Flags Flags
}

// Flags tell what is wrong with a character.
type Flags uint8

// The flags, as a 16550's line status register has them.
const (
	ParityError  Flags = 1 << (iota + 2)
	FramingError       // its stop bit is low
	Break              // all of its bits are: the line is held low. It comes once, as a zero byte.
)

// medium is what a port is joined to: a link or a bus.
type medium interface {
	// begin says that the port drives a run from at on: that is its beginning, unless the
	// driver was enabled in the middle.
	begin(p *Port, r *run, at simbus.Time)
	// end says that the run ends before it is over, and the line rests or floats.
	end(p *Port, r *run, at simbus.Time)
	// lead is how long the other ends take to hear of something. All of them hear of the
	// beginning and the end of a break, and of lines, so much later.
	lead(p *Port) time.Duration
	format(p *Port) // it is another one
	lines(p *Port)  // the outputs are others
}

// NewPort makes a port that is set to 9600 8N1.
func NewPort(clock simbus.Clock) *Port {
	p := &Port{clock: clock}
	p.tx.init(p)
	p.rx.init(p)
	p.SetFormat(EightN1(Baud(9600)))
	return p
}

// Format is what the port is set to.
func (p *Port) Format() Format { return p.wants }

// SetFormat sets what the transmitter sends from the next character on, and what the receiver
// expects. That begins anew, unless the format is the one it has. It must pass [Format.Check].
func (p *Port) SetFormat(f Format) {
	p.wants = f
	f.Rate = p.clockError.of(f.Rate)
	if f == p.tx.format {
		return
	}
	p.tx.setFormat(f)
	p.rx.setFormat(f)
	if p.line != nil {
		p.line.format(p)
	}
}

// Transmit gives the transmitter characters to send after those that wait; they are its to
// keep. Bits that the format has no place for are left out.
func (p *Port) Transmit(data []byte) { p.tx.transmit(data) }

// TransmitNext has the transmitter send a character before those that wait, on hold as well:
// XON and XOFF go so.
func (p *Port) TransmitNext(char byte) { p.tx.transmitNext(char) }

// Waiting is how many characters have not begun to go over the line.
func (p *Port) Waiting() int { return p.tx.unsent() }

// Busy tells whether a character is going over the line, or waits and may.
func (p *Port) Busy() bool { return p.tx.busy() }

// Flush forgets the characters that have not begun to go over the line. It returns how many
// those are.
func (p *Port) Flush() (dropped int) { return p.tx.flush() }

// Hold keeps the transmitter from beginning with another character, or lets it.
func (p *Port) Hold(on bool) { p.tx.hold(on) }

// SetBreak holds the line low once the character under way has gone, as a PL011 does, or
// lets it go. Characters wait meanwhile, and for a bit after it. On a link without a delay
// the line is low, and high again, as much later as the other end hears of it.
func (p *Port) SetBreak(on bool) { p.tx.setBreak(on) }

// SetDriver enables what drives the line, or lets that float: the driver of an RS-485
// transceiver. The transmitter sends all the same.
func (p *Port) SetDriver(on bool) { p.tx.setDriver(on) }

// SetReceiver lets the receiver see the line, or nothing: the receiver of an RS-485
// transceiver, whose output is high when it is disabled.
func (p *Port) SetReceiver(on bool) { p.rx.gate(gateTransceiver, !on) }

// Listen lets the receiver look at what it sees, as it does at first, or not.
func (p *Port) Listen(on bool) { p.rx.listen(on) }

// SetBatch lets OnReceive have at most n characters at once, from the next one on: it is then
// called as soon as so many have arrived. With 0, as at first, it is called when the
// transmitter has sent what it had, and in between after each 16 characters, or each
// millisecond if that is more.
func (p *Port) SetBatch(n int) { p.rx.setBatch(n) }

// Power gives the port power, or takes it: then it forgets what it has, stops in the middle
// of a bit, and all its outputs float. Its format, and what else was set, stays.
func (p *Port) Power(on bool) {
	if p.off == !on {
		return
	}
	p.off = !on
	p.tx.power(on)
	p.rx.listen(p.rx.listens)
	if p.line != nil {
		p.line.lines(p)
	}
}

// String is the names of the flags, as "parity framing"; empty for none.
func (f Flags) String() string {
	var names []string
	for i, name := range [...]string{"parity", "framing", "break"} {
		if f&(ParityError<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}
