package periph

import (
	"fmt"

	"backplane/simbus"
)

// LinkKind is a kind of link between boards that an appliance file can name: the package
// of the ports that it joins has one, and the catalog lists it.
type LinkKind struct {
	// Table is the appliance file's: "segment" for [[segment]].
	Table  string
	Name   string         // in sentences: "serial link"
	Title  string         // "serial link from UART to UART"
	Source string         // what it is like, or by which rules it goes
	Events []*simbus.Kind // that such links emit
	// LinkType is what a capture of such a link has, by pcapng's numbers: 1 for Ethernet,
	// 227 for SocketCAN. The table is then a [SegmentConfig], and the link a [Segment].
	// 0: nothing of it can be captured.
	LinkType uint8
	// Apart tells whether its ports can be cut one by one, by name: the others go on. Those of
	// a [Segment] can in any case.
	Apart bool
	// Slots tells whether boards can take turns at an end: the kind of controllers that it joins
	// then has Turns.
	Slots bool
	// Joins is what the ends are: ports of controllers with that table, or GPIO lines
	// for that of those.
	Joins string
	// Config is an empty table, with what holds if a key is left out: a pointer to a
	// struct with toml and jsonschema tags. A link's name is not in it.
	Config func() LinkConfig
}

// LinkConfig is one table of a kind of link.
type LinkConfig interface {
	// Ends are the places that the link joins, as the table says. A gateway is one more.
	Ends() []LinkEnd
	// Check reports what is wrong, by the keys of the table. The ends are those of Ends
	// as the boards' files have them, and gateways.
	Check(report Report, ends []LinkEnd)
	// Instant tells whether what is sent arrives at once: the boards then share their time.
	Instant() bool
	// Build makes the link, and joins the ends.
	Build(env *LinkEnv, ends []Joint) (Link, error)
}

// GrowingConfig is the table of a link that takes more ports while it runs: it is a [GrowingLink] then.
type GrowingConfig interface {
	LinkConfig
	// Grows are the keys of a table that says which ports are more.
	Grows() []string
	// With is the table with the ports of such a one, which was checked with the ends of both.
	With(more LinkConfig) (LinkConfig, error)
	// Without is the table without a port.
	Without(port string) GrowingConfig
}

// GrowingLink is a link that takes more ports.
type GrowingLink interface {
	Link
	// Join joins more ends to the link, as such a table says.
	Join(more LinkConfig, ends []Joint) error
}

// HostLink is the table of a link that may have an end on the host.
type HostLink interface {
	LinkConfig
	// Outside says what that is: "a pseudo terminal"; empty if there is none.
	Outside() string
}

// NotedLink is the table of a link of which people should know something, though it is no mistake.
type NotedLink interface {
	LinkConfig
	// Note says what, of ends that are right; it may be empty.
	Note(ends []LinkEnd) string
}

// LinkEnd is where a link is joined to a board.
type LinkEnd struct {
	Name   string // as the file has it: "sensor.eth0", "sensor.gpio0.alarm"
	Key    string // of the table, where it stands: "ports[0]"; empty for a gateway
	Drives bool   // it is a line that the link drives

	Board  string // "sensor"; empty for a gateway, and if there is no such place, which has been said
	Config any    // the table of the port's controller
}

// Joint is an end of a link that is being made.
type Joint struct {
	LinkEnd
	Domain *simbus.Domain // the board's
	Socket any            // the port's, of its own type; of a line it is the *wire.Wire
	// Fault tells of what the board does that no link can do.
	Fault func(text string)
}

// LinkEnv is what a link gets from its appliance.
type LinkEnv struct {
	Name     string
	Calendar *simbus.Calendar
	Seed     uint64 // of chance, from the run's seed and the link's place
}

// Turns is how the sockets of boards that are in one slot by turns are joined to a link, one at
// a time. All boards of a slot have one domain, on whose goroutine it is called.
type Turns interface {
	// Socket is what the link is joined to.
	Socket() any
	// Choose joins the socket of a board to the link, in place of the one that was; nil
	// leaves the end open. It is called once the link is made.
	Choose(socket any)
}

// Link is a link of an appliance that runs. Its methods are for callers from outside,
// as [simbus.Domain.Do] is.
type Link interface {
	// Cut lets nothing pass any more, or again: the whole link, or one of its ports by
	// name. Boards see it where a port tells whether its cable carries anything. A port
	// that is cut is as one that was unplugged: nothing is known of it any more.
	Cut(port string, cut bool)
	// Leave takes the link off its ends for good, or off the port of that name: others may have
	// them now. What is under way to them is lost.
	Leave(port string)
}

// SegmentConfig is the table of a link whose ports have names: they can be cut one by one,
// and have properties.
type SegmentConfig interface {
	LinkConfig
	// Specs are the properties of the link, of one of its ports, or of one of a port's
	// ways (see [Ways]); way and port are empty for what is above. Call it after Check.
	Specs(port, way string) []Spec
}

// Ways are the two directions of a port, as its board sees them.
var Ways = []string{"tx", "rx"}

// Segment is a link whose ports have names, and whose traffic can be captured.
type Segment interface {
	Link
	// At are the properties of the link, of a port, or of one of its ways: see [SegmentConfig].
	At(port, way string) Properties
	// Tap shows f what the link takes, or what a port sends and receives, until remove.
	Tap(port string, f simbus.TapFunc) (remove func())
	// Forget lets the link forget what is behind a port, whose board has lost its power.
	// It is called on the board's goroutine.
	Forget(port string)
}

// LinkState is the property of a segment or port that cuts and restores it, for which
// there is Cut.
const LinkState = "link"

// LinkSpec is its spec.
func LinkSpec() Spec {
	return Spec{Name: LinkState, Kind: Text, Valid: func(v Value) error { return CheckLinkState(v.Text()) }, Doc: "up, or down when it is cut"}
}

// CheckLinkState says what is wrong with a word for the state of a link.
func CheckLinkState(text string) error {
	if text == "up" || text == "down" {
		return nil
	}
	return fmt.Errorf("%q is not a state of a link: write up or down", text)
}

// FormatLinkState is the word for the state of a link.
func FormatLinkState(up bool) string { return map[bool]string{true: "up", false: "down"}[up] }

// Ports are the ends that a table lists under the key ports.
func Ports(names []string) []LinkEnd {
	ends := make([]LinkEnd, len(names))
	for i, name := range names {
		ends[i] = LinkEnd{Name: name, Key: fmt.Sprintf("ports[%d]", i)}
	}
	return ends
}
