package gpio

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// Controller is one GPIO controller. It is a [virtio.Device].
type Controller struct {
	// Access is how long a request of the driver takes: it is carried out, and
	// answered, when that is over. Readings of a line in a row take longer, see
	// askPart. An interrupt of a level that stays as it is is told again after as
	// long. At 0 neither takes time.
	Access time.Duration
	// Clock is needed if Access is not 0.
	Clock simbus.Clock
	// OnMissed, if set, is called when the guest is told of an edge of line i
	// and n more came before it had acknowledged the one before, so that it will
	// not see them as interrupts. total is how many those were on that line so far.
	OnMissed func(i, n int, total uint64)

	virtio.Plain
	name     string
	lines    []line
	names    []byte // the gpio-names block: zero-terminated names in the order of the lines
	irq      bool   // the driver accepted featureIRQ
	requests *virtio.Queue
	events   *virtio.Queue
	request  *virtio.Chain // the one that takes its time
	busy     *simbus.Timer // when that is over; nil while there is none
	acted    simbus.Time   // when the driver last set a line
}

// line is one line: its wire, what the driver has set it to, and its interrupt.
type line struct {
	index     int
	lost      uint64 // edges that the driver was not told of one by one
	wire      wire.Wire
	pin       *wire.Pin
	direction uint8
	output    wire.Level // what it drives while its direction is out
	asking    asking
	interrupt
}

var _ virtio.Device = (*Controller)(nil)

// CheckLines says what is wrong with the names of a controller's lines, if
// anything: there must be 1 to 65535 lines, and a name must be ASCII without
// control characters. An empty name is an unnamed line; a name may stand several
// times, as in device trees of real boards.
func CheckLines(names []string) error {
	if len(names) == 0 || len(names) > math.MaxUint16 {
		return fmt.Errorf("a controller of %d lines: there must be 1 to %d", len(names), math.MaxUint16)
	}
	for i, name := range names {
		for _, r := range name {
			if r < ' ' || r > '~' {
				return fmt.Errorf("line %d is named %q: a name must be printable ASCII", i, name)
			}
		}
	}
	return nil
}

// New makes a controller whose lines have these names, which CheckLines must
// find good. All lines float.
func New(name string, names []string) *Controller {
	c := &Controller{Plain: virtio.NewPlain(name, virtio.IDGPIO, queueCount), name: name, lines: make([]line, len(names))}
	named := false
	for i := range c.lines {
		l := &c.lines[i]
		l.index = i
		l.wire.Name = name + "." + label(names[i], i)
		l.pin = l.wire.NewPin(l.wire.Name)
		l.pin.Watch(func(level wire.Level) { c.sense(l, level) })
		c.names = append(append(c.names, names[i]...), 0)
		named = named || names[i] != ""
	}
	if !named {
		c.names = nil // gpio_names_size 0: the driver does not ask
	}
	return c
}

// Name is the controller's name on its board.
func (c *Controller) Name() string { return c.name }

// Len is how many lines there are.
func (c *Controller) Len() int { return len(c.lines) }

// Line is the wire of line i, which must be below Len. Chips solder their pins to it.
func (c *Controller) Line(i int) *wire.Wire { return &c.lines[i].wire }

// Missed is how many edges of line i the guest was not told of one by one,
// since they came before it had acknowledged the one before.
func (c *Controller) Missed(i int) uint64 { return c.lines[i].lost }

// Features offers interrupts.
func (c *Controller) Features() uint64 { return featureIRQ }

// Config is struct virtio_gpio_config.
func (c *Controller) Config() []byte {
	b := make([]byte, configSize)
	binary.LittleEndian.PutUint16(b, uint16(len(c.lines)))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(c.names)))
	return b
}

// Start takes the queues. A driver without interrupts needs none for events.
func (c *Controller) Start(features uint64, queues []*virtio.Queue) error {
	c.irq = features&featureIRQ != 0
	need := eventQueue
	if c.irq {
		need = queueCount
	}
	if err := c.Started(queues, need); err != nil {
		return err
	}
	c.requests = queues[requestQueue]
	if c.irq {
		c.events = queues[eventQueue]
	}
	return nil
}

// Kick answers the requests in the request queue, or takes the buffers in the
// event queue, each of which unmasks its line's interrupt.
func (c *Controller) Kick(n int) error {
	switch {
	case n == requestQueue && c.requests != nil && c.busy == nil: // else it looks by itself when it is free
		return c.named(c.requests.Serve(c.takeRequest))
	case n == eventQueue && c.events != nil:
		return c.named(c.events.Serve(c.takeEventBuffer))
	}
	return nil
}

// named says which controller an error is one of.
func (c *Controller) named(err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// Stop forgets what the driver set: all lines float.
func (c *Controller) Stop() {
	c.busy.Stop()
	c.busy, c.request = nil, nil
	c.requests, c.events, c.irq = nil, nil, false
	for i := range c.lines {
		c.lines[i].interrupt = interrupt{} // before any pin moves, or it would sense that
	}
	for i := range c.lines {
		l := &c.lines[i]
		l.direction, l.output = directionNone, wire.Low
		l.pin.Drive(wire.Float)
	}
}
