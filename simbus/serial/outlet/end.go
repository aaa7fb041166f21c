package outlet

import (
	"errors"
	"slices"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// End is the host's end of a cable to a port. It belongs to the port's domain:
// what it does depends on its acts and their times alone, whether there is a program or not.
type End struct {
	// Program is told of what arrives, unless it is nil.
	Program Program

	port    *serial.Port
	link    *serial.Link
	domain  *simbus.Domain
	open    bool
	flow    Flow
	stopped bool // XOFF was the last of it
	breaks  bool // a break is under way
	lift    *simbus.Timer
	queue   []Act // that wait for what was sent before them
}

// Plug plugs a cable into a port, with nothing at its end that is switched on. It is set to
// a format. It is called on the domain's goroutine.
func Plug(port *serial.Port, d *simbus.Domain, f serial.Format, c serial.Cable) *End {
	e := &End{port: serial.NewPort(d), domain: d}
	e.port.SetFormat(f)
	e.port.Listen(false)
	e.port.OnSent = e.sent
	e.port.OnReceive = e.receive
	e.port.OnInputs = func(now, _ serial.Lines) { e.inputs(now) }
	e.link = serial.JoinHere(serial.End{Port: port, Domain: d}, serial.End{Port: e.port, Domain: d}, c)
	return e
}

// IsOpen tells whether a program has it open.
func (e *End) IsOpen() bool { return e.open }

// Link is the cable.
func (e *End) Link() *serial.Link { return e.link }

// Errors of Do.
var (
	ErrInUse  = errors.New("another program has this port open")
	errClosed = errors.New("the port is not open")
)

// Do does what a program does.
func (e *End) Do(a Act) error {
	switch {
	case a.Do == Open && e.open:
		return ErrInUse
	case a.Do != Open && !e.open:
		return errClosed
	}
	switch a.Do {
	case Open:
		e.open = true
		e.setFlow(NoFlow)
		e.port.Listen(true)
		e.port.SetOutputs(serial.Outputs)
		e.inputs(e.port.Inputs())
	case Close:
		e.close()
	case Lift:
		e.port.SetOutputs(a.Lines)
	case Purge:
		e.purge()
	case Send, Set, Break:
		e.later(a)
	}
	return nil
}

// later does something after what was sent before it. Flow control changes at once, and a
// break that is under way ends, since others wait for those.
func (e *End) later(a Act) {
	if a.Do == Set {
		e.setFlow(a.Settings.Flow)
	}
	if a.Do == Break && !a.On && e.breaks {
		e.setBreak(Act{})
	} else {
		e.queue = append(e.queue, a)
	}
	e.next()
}

func (e *End) setFlow(f Flow) {
	batch := 0
	if f == Software { // XOFF is to be heeded before the next character
		batch = 1
	}
	e.port.SetBatch(batch)
	e.flow, e.stopped = f, e.stopped && f == Software
	e.hold()
}

// close is what the last close(2) of a serial port does: outputs become inactive (HUPCL).
func (e *End) close() {
	e.purge()
	e.queue = nil
	e.setBreak(Act{})
	e.port.Hold(false)
	e.port.SetOutputs(0)
	e.port.Listen(false)
	e.open, e.Program = false, nil
}

// purge drops characters that have not begun to go over the line. The acts between them are done.
func (e *End) purge() {
	dropped := e.port.Flush()
	e.queue = slices.DeleteFunc(e.queue, func(a Act) bool {
		if a.Do == Send {
			dropped += len(a.Data)
		}
		return a.Do == Send
	})
	e.tellSent(dropped)
	e.next()
}

// next does what waits, as far as it need not wait any more: settings and breaks come after
// what was sent before them, as with tcdrain(3).
func (e *End) next() {
	for len(e.queue) > 0 {
		a := e.queue[0]
		if a.Do != Send && (e.port.Busy() || e.port.Waiting() > 0) {
			return
		}
		e.queue = e.queue[1:]
		switch a.Do {
		case Send:
			e.port.Transmit(a.Data)
		case Set:
			e.port.SetFormat(a.Settings.Format)
		case Break:
			e.setBreak(a)
		}
	}
	e.queue = nil
}

// setBreak begins a break, or ends it.
func (e *End) setBreak(a Act) {
	if e.breaks = a.On; e.lift != nil {
		e.lift.Stop()
		e.lift = nil
	}
	e.port.SetBreak(a.On)
	if a.On && a.For > 0 {
		e.lift = e.domain.At(e.domain.Now().Add(a.For), func() {
			e.setBreak(Act{})
			e.next()
		})
	}
}

// hold lets the transmitter send, or not, as flow control has it.
func (e *End) hold() {
	e.port.Hold(e.flow == Hardware && e.port.Inputs()&serial.CTS == 0 || e.flow == Software && e.stopped)
}

func (e *End) sent(data []byte) {
	e.tellSent(len(data))
	e.next()
}

func (e *End) tellSent(n int) {
	if e.Program != nil && n > 0 {
		e.Program.Sent(n)
	}
}

func (e *End) inputs(now serial.Lines) {
	e.hold()
	if e.open && e.Program != nil {
		e.Program.Lines(now)
	}
}

// XON and XOFF, as termios(3) has them at first.
const (
	xon  = 0x11
	xoff = 0x13
)

func (e *End) receive(r serial.Received) {
	data := r.Data
	if e.flow == Software {
		data = e.heed(data)
	}
	if e.Program != nil && (len(data) > 0 || r.Flags != 0) {
		e.Program.Receive(data, r.Flags)
	}
}

// heed takes XON and XOFF out of what has arrived, and does what they say.
func (e *End) heed(data []byte) []byte {
	var rest []byte
	for _, b := range data {
		switch b {
		case xon, xoff:
			e.stopped = b == xoff
			e.hold()
		default:
			rest = append(rest, b)
		}
	}
	return rest
}
