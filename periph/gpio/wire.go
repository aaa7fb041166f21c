package gpio

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// Wire is the wire of appliance files, from a line of a board to one of another.
var Wire = &periph.LinkKind{
	Table:  "wire",
	Name:   "wire",
	Title:  "wire from GPIO line to GPIO line",
	Source: "none: a wire with a delay",
	Joins:  BusName,
	Slots:  true,
	Config: func() periph.LinkConfig { return &WireConfig{Delay: periph.Duration(defaultDelay)} },
}

// defaultDelay is how long a change of level is under way unless a file says otherwise.
const defaultDelay = time.Microsecond

// WireConfig is one [[wire]] table of an appliance file.
type WireConfig struct {
	From  string          `toml:"from" jsonschema:"description=The line that drives: board.controller.line"`
	To    string          `toml:"to" jsonschema:"description=The line that is driven: board.controller.line"`
	Delay periph.Duration `toml:"delay,omitempty" jsonschema:"default=1us,description=Delay of a change of level"`
}

// Ends are the driving line and the driven line.
func (c *WireConfig) Ends() []periph.LinkEnd {
	return []periph.LinkEnd{{Name: c.From, Key: "from"}, {Name: c.To, Key: "to", Drives: true}}
}

// Check reports what is wrong.
func (c *WireConfig) Check(report periph.Report, ends []periph.LinkEnd) {
	if from, to := ends[0].Board, ends[1].Board; from == to && from != "" {
		report("", "the wire leads from board %s to itself: solder its parts to one line", from)
	}
}

// Instant tells whether the wire has no delay.
func (c *WireConfig) Instant() bool { return c.Delay == 0 }

// wireLink is a wire from a board to another. But for what says otherwise it belongs to
// the far end's domain.
type wireLink struct {
	name  string
	from  *periph.Joint
	to    *simbus.Domain
	delay time.Duration
	way   *simbus.Crossing[wire.Level]
	near  *wire.Pin
	pin   *wire.Pin
	level wire.Level // at the far end, as if it were not cut
	heard bool       // a change has arrived
	cut   bool

	// Of the near end's domain: when changes arrive that are under way, and what to do
	// about those that were too many.
	underway []simbus.Time
	late     *simbus.Timer
	lost     int
	latest   wire.Level
}

// maxUnderway is how many changes of level may be under way on a wire: a delay that is
// long, and a guest that is fast, would keep any number of them.
const maxUnderway = 1 << 16

// Build makes the wire.
func (c *WireConfig) Build(env *periph.LinkEnv, ends []periph.Joint) (periph.Link, error) {
	from, to := &ends[0], &ends[1]
	l := &wireLink{name: env.Name, from: from, to: to.Domain, delay: time.Duration(c.Delay)}
	var wires [2]*wire.Wire
	for i := range ends {
		w, ok := ends[i].Socket.(*wire.Wire)
		if !ok {
			return nil, fmt.Errorf("%s: a %T is not a line", ends[i].Name, ends[i].Socket)
		}
		wires[i] = w
	}
	l.way = simbus.NewCrossing(from.Domain, to.Domain, l.delay, l.arrive)
	to.Domain.Do(func() { l.pin = wires[1].NewPin("wire " + env.Name) })
	var level wire.Level
	from.Domain.Do(func() {
		l.near = wires[0].NewPin("wire " + env.Name)
		level = wires[0].Level()
		l.near.Watch(func(level wire.Level) {
			if l.delay == 0 { // both are in one domain
				l.arrive(level)
				return
			}
			l.send(level)
		})
	})
	to.Domain.Do(func() {
		if !l.heard {
			l.level = level
		}
		l.drive()
	})
	return l, nil
}

// send lets a change of level arrive after the wire's delay. One that is too many is lost,
// but not what the level is in the end.
func (l *wireLink) send(level wire.Level) {
	l.latest = level
	now, gone := l.from.Domain.Now(), 0
	for gone < len(l.underway) && l.underway[gone] <= now {
		gone++
	}
	if gone > len(l.underway)/2 {
		l.underway = append(l.underway[:0], l.underway[gone:]...)
		gone = 0
	}
	if len(l.underway)-gone >= maxUnderway {
		if l.lost++; l.lost&(l.lost-1) == 0 { // the first, the second, the fourth ...
			l.from.Fault(fmt.Sprintf("wire %s: %d changes of level are under way, the most allowed: %d are lost so far", l.name, maxUnderway, l.lost))
		}
		if l.late == nil {
			l.late = l.from.Domain.At(l.underway[gone], func() {
				l.late = nil
				l.send(l.latest)
			})
		}
		return
	}
	l.underway = append(l.underway, now.Add(l.delay))
	l.way.Send(now.Add(l.delay), level)
}

func (l *wireLink) arrive(level wire.Level) {
	l.level, l.heard = level, true
	l.drive()
}

func (l *wireLink) drive() {
	if l.cut {
		l.pin.Drive(wire.Float)
	} else {
		l.pin.Drive(l.level.Strong())
	}
}

// Leave takes the wire off both lines for good.
func (l *wireLink) Leave(string) {
	l.from.Domain.Do(func() {
		l.near.Watch(nil)
		l.near.Lift()
	})
	l.to.Do(l.pin.Lift) // what is under way is on nothing then
	l.way.Close()
}

// Cut lets the far end float.
func (l *wireLink) Cut(_ string, cut bool) {
	l.to.Do(func() {
		l.cut = cut
		l.drive()
	})
}
