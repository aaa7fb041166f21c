package serial

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/serial"
)

// Controller is one UART: FIFOs, a transmitter and a receiver, and modem lines. It is a
// [virtio.Device] and a [periph.Terminal].
type Controller struct {
	// OnSent, if set, is called with characters whose last stop bit has gone over the line.
	OnSent func(p []byte)
	// OnReceive, if set, is called with what has arrived, whether the guest wants it or not.
	OnReceive func(r serial.Received)
	// OnOverrun, if set, is called when characters that arrived were lost: the guest had not
	// read what came before, or had no power.
	OnOverrun func(lost int)
	// OnFormat, OnLines and OnBreak, if set, are called when the guest has set another
	// format, when any modem line is another, and when the guest begins or ends a break.
	OnFormat func(f serial.Format)
	OnLines  func(now serial.Lines)
	OnBreak  func(on bool)

	virtio.Plain
	config Config
	name   string
	device string // what the guest's kernel calls it: "ttyS1"
	clock  simbus.Clock
	port   *serial.Port
	off    bool // it has no power
	queues []*virtio.Queue

	tx      transmitter
	rx      receiver
	modem   modem
	rs485   rs485
	pins    pins
	rand    *rand.Rand // of noise
	noise   float64
	stuck   bool
	feed    *pacer         // what Input was given
	out     func(p []byte) // the terminal's, nil for none
	sent    uint64
	space   [configSize]byte
	request *virtio.Chain // that waits for buffers before it
	message [controlSize]byte
}

var _ virtio.Device = (*Controller)(nil)

// NewController makes a UART, with power.
func NewController(name string, clock simbus.Clock, config *Config) *Controller {
	c := &Controller{Plain: virtio.NewPlain(name, virtio.IDUART, queueCount), config: *config, name: name, clock: clock}
	c.port = serial.NewPort(clock)
	c.port.OnSent = c.gone
	c.port.OnSentNext = func(char byte) { c.over([]byte{char}); c.release() }
	c.port.OnReceive = c.receive
	c.port.OnInputs = c.inputs
	c.rx.data = make([]byte, 0, c.config.fifo())
	c.rx.timeout = func() { c.check(c.deliver()) }
	c.feed = newPacer(clock, c.charTime, c.fed)
	c.reset()
	return c
}

// Port is the controller's end of the line.
func (c *Controller) Port() *serial.Port { return c.port }

// Config is what the driver has to know before it begins.
func (c *Controller) Config() []byte {
	b := c.space[:]
	binary.LittleEndian.PutUint32(b, uint32(c.config.fifo()))
	low, high := c.config.rates()
	binary.LittleEndian.PutUint32(b[4:], uint32(low))
	binary.LittleEndian.PutUint32(b[8:], uint32(high))
	binary.LittleEndian.PutUint32(b[12:], uint32(c.config.Clock))
	binary.LittleEndian.PutUint32(b[16:], inputBits(c.port.Inputs()))
	return b
}

// Start takes the queues of a UART that has been reset. The receiver is off until the driver
// opens it.
func (c *Controller) Start(_ uint64, queues []*virtio.Queue) error {
	if err := c.Started(queues, queueCount); err != nil {
		return err
	}
	c.reset()
	c.queues = queues
	return nil
}

// Stop lets go of the queues. What the guest handed over still goes over the line, until the
// power goes or the next driver comes: a kernel that halts does not reset its UARTs.
func (c *Controller) Stop() {
	c.queues, c.request = nil, nil
	c.tx.forget()
	c.rx.reset()
}

// Kick takes what the driver has put into its queues.
func (c *Controller) Kick(n int) error {
	if c.queues == nil {
		return nil
	}
	var err error
	switch n {
	case queueRx:
		err = c.deliver()
	case queueEvent:
		err = c.tellLines()
	default:
		err = c.take()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// check stops the device if the driver has broken its rules.
func (c *Controller) check(err error) {
	if err != nil && c.queues != nil {
		c.queues[queueTx].Fail(fmt.Errorf("%s: %w", c.name, err))
	}
}

// take takes buffers to send and requests in the order in which the driver made them: a
// request says how many buffers there were before it. Buffers are looked for first, so that
// one that comes after a request that is not there yet is not taken before it.
func (c *Controller) take() error {
	tx, control := c.queues[queueTx], c.queues[queueControl]
	for c.queues != nil {
		var err error
		if c.tx.next == nil {
			if c.tx.next, err = tx.Next(); err != nil {
				return err
			}
		}
		if c.request == nil {
			if c.request, err = control.Next(); err != nil {
				return err
			}
		}
		switch {
		case c.request != nil && c.due():
			err = c.serve()
		case c.tx.next != nil:
			err = c.transmit()
		default:
			tx.Notify()
			control.Notify()
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// due tells whether all buffers before the request have been taken.
func (c *Controller) due() bool {
	c.request.CopyOut(c.message[:], 0)
	return int16(binary.LittleEndian.Uint16(c.message[2:])-c.tx.taken) <= 0
}

// serve does what a request says.
func (c *Controller) serve() error {
	chain := c.request
	c.request = nil
	if n := chain.ReadLen(); n != controlSize {
		return fmt.Errorf("request of %d bytes: it has %d", n, controlSize)
	}
	a := binary.LittleEndian.Uint32(c.message[4:])
	b := binary.LittleEndian.Uint32(c.message[8:])
	d := binary.LittleEndian.Uint32(c.message[12:])
	var err error
	switch kind := binary.LittleEndian.Uint16(c.message[:]); kind {
	case requestReceiver:
		c.rx.empty()
		c.rx.on = a != 0
		c.level()
	case requestFormat:
		err = c.setFormat(a, b)
	case requestLines:
		c.modem.outputs = a
		c.showOutputs()
	case requestBreak:
		c.setBreak(a != 0)
	case requestHold:
		c.hold(heldByGuest, a != 0)
	case requestFlush:
		c.flush()
	case requestXchar:
		c.drive()
		c.port.TransmitNext(byte(a))
	case requestRS485:
		c.setRS485(a, b, d)
	default:
		err = fmt.Errorf("request of type %d: there is no such", kind)
	}
	if err == nil && c.queues != nil {
		c.queues[queueControl].Done(chain, 0)
	}
	return err
}

// setFormat sets what the driver asks for.
func (c *Controller) setFormat(rate, bits uint32) error {
	parity := bits >> formatParity & 0xf
	if parity >= parityCount {
		return fmt.Errorf("parity %d: there is no such", parity)
	}
	f := serial.Format{Rate: c.config.rate(rate), Data: int(bits & formatBits), Stop: serial.Stop(bits >> formatStop & 0xf),
		Parity: [...]serial.Parity{serial.None, serial.Odd, serial.Even, serial.Mark, serial.Space}[parity]}
	if err := f.Check(); err != nil {
		return err
	}
	c.modem.autoCTS, c.modem.autoRTS = bits&formatAutoCTS != 0, bits&formatAutoRTS != 0
	if f != c.port.Format() {
		c.port.SetFormat(f)
		if c.OnFormat != nil {
			c.OnFormat(f)
		}
	}
	c.hold(heldByCTS, c.modem.autoCTS && c.port.Inputs()&serial.CTS == 0)
	c.level()
	return nil
}

func (c *Controller) setBreak(on bool) {
	if c.modem.breaks == on {
		return
	}
	c.modem.breaks = on
	c.port.SetBreak(on)
	if c.OnBreak != nil {
		c.OnBreak(on)
	}
}

// reset is the state at power-on: the bootloader's setting. A character that is going over the
// line still does.
func (c *Controller) reset() {
	waits := c.port.Flush()
	c.tx = transmitter{stray: max(0, c.tx.stray+c.tx.bytes-waits)}
	c.port.Hold(false)
	c.port.SetBreak(false)
	c.port.SetFormat(serial.EightN1(c.config.rate(uint32(c.config.Baud))))
	c.rx.reset()
	c.rs485.reset()
	c.modem = modem{shown: c.modem.shown}
	c.setDriving(false)
}

// Power gives the port power, as it has at first, or takes it: all that is under way is lost.
func (c *Controller) Power(on bool) {
	c.off = !on
	if !on {
		c.feed.discard()
		c.reset()
		c.tx.stray = 0
	}
	c.port.Power(on)
	c.driveOutputs()
}

// Socket is where a link is joined: the port.
func (c *Controller) Socket(name string) any {
	if name != "" {
		return nil
	}
	return c.port
}
