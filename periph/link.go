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
	// Joins is what the ends are: ports of controllers with that table, or GPIO lines
	// for that of those.
	Joins string
	// Config is an empty table, with what holds if a key is left out: a pointer to a
	// struct with toml and jsonschema tags. A link's name is not in it.
	Config func() LinkConfig
}

// LinkConfig is one table of a kind of link.
type LinkConfig interface {
	// Ends are the places that the link joins, as far as the table says so.
	Ends() []LinkEnd
	// Check reports what is wrong, by the keys of the table. The ends are those of Ends,
	// as the boards' files have them.
	Check(report Report, ends []LinkEnd)
	// Instant tells whether what is sent arrives at once: the boards then share their time.
	Instant() bool
	// Build makes the link, and joins the ends.
	Build(env *LinkEnv, ends []Joint) (Link, error)
}

// LinkEnd is where a link is joined to a board.
type LinkEnd struct {
	Name   string // as the file has it: "sensor.eth0", "sensor.gpio0.alarm"
	Key    string // of the table, where it stands: "ports[0]"
	Drives bool   // it is a line that the link drives

	Board  string // "sensor"; empty if there is no such place, which has been said
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

// Link is a link of an appliance that runs. Its methods are for callers from outside,
// as [simbus.Domain.Do] is.
type Link interface {
	// Cut lets nothing pass any more, or again: the whole link, or one of its ports by
	// name. Boards see it where a port tells whether its cable carries anything.
	Cut(port string, cut bool)
}

// Ports are the ends that a table lists under the key ports.
func Ports(names []string) []LinkEnd {
	ends := make([]LinkEnd, len(names))
	for i, name := range names {
		ends[i] = LinkEnd{Name: name, Key: fmt.Sprintf("ports[%d]", i)}
	}
	return ends
}
