package can

import (
	"fmt"

	"backplane/simbus"
)

// State is how far a node takes part.
type State int

// The states (ISO 11898-1:2015 clause 12.1.4).
const (
	Stopped State = iota // it takes no part, and drives nothing
	ErrorActive
	ErrorPassive
	BusOff // it takes no part until it is started again, and the bus has been quiet for long enough
)

var stateNames = [...]string{"stopped", "error-active", "error-passive", "bus-off"}

// String is "error-active" and so on.
func (s State) String() string { return stateNames[s] }

// Limits of the counters: what is above makes a node error-passive, or bus-off.
const (
	passiveLimit = 127
	busOffLimit  = 255
	// MaxCounter is the highest value of a counter.
	MaxCounter = busOffLimit + 1
)

// Client is what a node belongs to, such as a controller.
type Client interface {
	// Sent says that the frame of [Node.Send] has been transmitted. The client may
	// send the next one at once.
	Sent()
	// Receive takes a frame from another node. It is the client's until it returns.
	Receive(f *Frame)
	// Changed says that the node is in another state. In BusOff and Stopped the frame of Send
	// is not transmitted any more.
	Changed(s State)
}

// Node is a CAN controller with its transceiver. A new one is stopped, and alone on wires of
// its own: as there is nobody to acknowledge, it cannot send a frame with success.
type Node struct {
	name   string
	timing Timing
	client Client
	bus    *Bus // where it is
	alone  *Bus // its own, where it is without others

	state    State
	tec, rec int
	// spells is how many spells of eleven recessive bits it has to see before it takes part,
	// the first of them from the time since on. 0: it takes part.
	spells int
	since  simbus.Time
	ready  *simbus.Timer

	frame   Frame
	pending bool
	asked   simbus.Time // when Send was called
	able    simbus.Time // when it may start a frame at the earliest
	hears   bool        // it was there when the frame under way began

	errorRate float64
}

// NewNode makes a node. With no DataBitrate it takes FD frames for none, and lets them pass.
func NewNode(name string, clock simbus.Clock, t Timing, client Client) *Node {
	n := &Node{name: name, timing: t, client: client}
	n.alone = NewBus(name, clock, nil)
	n.alone.timing = t
	n.alone.nodes = []*Node{n}
	n.bus = n.alone
	return n
}

// Name is the node's: board.port.
func (n *Node) Name() string { return n.name }

// Rename gives the node the name that it has among others: NewNode's is for itself alone.
func (n *Node) Rename(name string) { n.name = name }

// Timing are the node's bit rates.
func (n *Node) Timing() Timing { return n.timing }

// Alone are the wires that the node has for itself.
func (n *Node) Alone() *Bus { return n.alone }

// State is the node's state.
func (n *Node) State() State { return n.state }

// Counters are the transmit and the receive error counter.
func (n *Node) Counters() (tec, rec int) { return n.tec, n.rec }

// SetCounters sets them, 0 to [MaxCounter]. The node's state follows, if it takes part.
func (n *Node) SetCounters(tec, rec int) {
	n.tec, n.rec = tec, min(rec, busOffLimit)
	n.follow()
	n.bus.next()
}

// Start lets the node take part, as soon as it has seen eleven recessive bits; one that was
// bus-off, which it stays until then, when it has seen 128 times as many.
func (n *Node) Start() {
	switch {
	case n.state == Stopped:
		n.tec, n.rec, n.spells = 0, 0, 1
		n.enter(ErrorActive)
	case n.state == BusOff && n.spells == 0:
		n.spells = recoverySpells
	default:
		return
	}
	n.since = n.bus.clock.Now()
	n.bus.await(n)
}

// Stop takes the node off at once, in the middle of a frame as well. One that is bus-off
// stays so, and does not recover.
func (n *Node) Stop() {
	n.withdraw()
	if n.state != BusOff {
		n.enter(Stopped)
	}
}

// Reset stops the node, and forgets that it was bus-off.
func (n *Node) Reset() {
	n.withdraw()
	n.tec, n.rec = 0, 0
	n.enter(Stopped)
}

// withdraw ends what the node does on the bus.
func (n *Node) withdraw() {
	n.pending, n.spells = false, 0
	n.ready.Stop()
	n.bus.lose(n)
}

// Send has the node transmit a frame, as often as it takes, and once it takes part. There
// must be no other.
func (n *Node) Send(f *Frame) error {
	switch {
	case n.state == Stopped || n.state == BusOff && n.spells == 0:
		return fmt.Errorf("%s is %s", n.name, n.state)
	case n.pending:
		return fmt.Errorf("%s already has a frame to send", n.name)
	case f.FD && n.timing.DataBitrate == 0:
		return fmt.Errorf("%s does not support CAN FD", n.name)
	}
	n.frame, n.pending, n.asked = *f, true, n.bus.clock.Now()
	n.bus.next()
	return nil
}

// SetErrorRate makes the node misread that part, 0 to 1, of what others send.
func (n *Node) SetErrorRate(part float64) { n.errorRate = part }

// ErrorRate is what SetErrorRate has set.
func (n *Node) ErrorRate() float64 { return n.errorRate }

// takesPart tells whether the node sends and acknowledges.
func (n *Node) takesPart() bool {
	return (n.state == ErrorActive || n.state == ErrorPassive) && n.spells == 0
}

// Hears tells whether the node takes part, and a frame that was sent is one for it.
func (n *Node) Hears(f *Frame) bool { return n.hears && n.understands(f) }

// understands tells whether a frame is one for the node.
func (n *Node) understands(f *Frame) bool { return !f.FD || n.timing.DataBitrate > 0 }

// count adds to the counters.
func (n *Node) count(tec, rec int) {
	if rec < 0 && n.rec > passiveLimit {
		n.rec, rec = passiveLimit, 0 // clause 12.1.4.2 h: a value between 119 and 127
	}
	n.tec = max(0, min(n.tec+tec, MaxCounter))
	n.rec = max(0, min(n.rec+rec, busOffLimit))
}

// follow lets the state follow the counters.
func (n *Node) follow() {
	if n.state != ErrorActive && n.state != ErrorPassive {
		return
	}
	switch {
	case n.tec > busOffLimit:
		n.withdraw()
		n.enter(BusOff)
	case n.tec > passiveLimit || n.rec > passiveLimit:
		n.enter(ErrorPassive)
	default:
		n.enter(ErrorActive)
	}
}

func (n *Node) enter(s State) {
	if n.state != s {
		n.state = s
		n.client.Changed(s)
	}
}
