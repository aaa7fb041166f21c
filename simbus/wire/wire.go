package wire

import (
	"fmt"
	"slices"
)

// Level is the logic level of a wire.
type Level bool

// The two logic levels.
const (
	Low  Level = false
	High Level = true
)

func (l Level) String() string {
	if l {
		return "1"
	}
	return "0"
}

// Drive is what one pin does to the wire it is soldered to.
type Drive uint8

// Ways to drive a wire. Float is an input: it does nothing. A strong drive wins
// over a pull; a wire that nothing drives or pulls reads Low.
const (
	Float Drive = iota
	PullDown
	PullUp
	DriveLow
	DriveHigh
)

// Strong is the push-pull drive of that level.
func (l Level) Strong() Drive {
	if l {
		return DriveHigh
	}
	return DriveLow
}

// OpenDrain is what an open-drain output does, with the pull-up to the supply that it
// needs and that no board file has to mention.
func OpenDrain(powered, low bool) Drive {
	switch {
	case low:
		return DriveLow
	case powered:
		return PullUp
	}
	return Float
}

// Wire is one electrical node of one board: the pins soldered to it, and the
// level that they make together. It belongs to one domain. The zero value is a
// wire with no pins.
type Wire struct {
	Name     string
	pins     []*Pin
	level    Level
	conflict bool
	// OnChange, if set, is called after each change of level, before the pins'
	// watchers: the event stream hangs here.
	OnChange func(Level)
	// OnConflict, if set, is called when two pins begin to drive against each other.
	OnConflict func(high, low *Pin)
}

// Pin is one connection to a wire.
type Pin struct {
	Name  string // for messages: "gpio0.3", "temp0.alert"
	wire  *Wire
	home  *Wire // the wire that it was lifted off; nil if it is on it
	drive Drive
	watch func(Level)
}

// NewPin solders a new pin to the wire. It floats.
func (w *Wire) NewPin(name string) *Pin {
	p := &Pin{Name: name, wire: w}
	w.pins = append(w.pins, p)
	return p
}

// Level is what the wire reads.
func (w *Wire) Level() Level { return w.level }

// Level is what the pin's wire reads.
func (p *Pin) Level() Level { return p.wire.level }

// Wire is the wire that the pin is soldered to.
func (p *Pin) Wire() *Wire { return p.wire }

// Drive sets what the pin does to its wire. Watchers of the wire, this pin's
// own among them, are called before it returns if the level changes.
func (p *Pin) Drive(d Drive) {
	if p.drive == d {
		return
	}
	p.drive = d
	p.wire.resolve()
}

// Lift takes the pin off its wire, as unplugging its part does. Until it joins the wire
// again it is alone, and sees nothing but what it drives itself.
func (p *Pin) Lift() {
	if p.home != nil {
		return
	}
	p.home = p.wire
	rest := make([]*Pin, 0, len(p.home.pins))
	for _, other := range p.home.pins {
		if other != p {
			rest = append(rest, other)
		}
	}
	p.home.pins = rest
	p.wire = &Wire{Name: p.Name, pins: []*Pin{p}, level: p.home.level}
	p.home.resolve()
	p.wire.resolve()
}

// Join puts a pin that was lifted back on its wire.
func (p *Pin) Join() {
	if p.home == nil {
		return
	}
	w, seen, watch := p.home, p.wire.level, p.watch
	p.wire, p.home, p.watch = w, nil, nil
	w.pins = append(w.pins, p)
	w.resolve()
	if p.watch = watch; watch != nil && w.level != seen {
		watch(w.level)
	}
}

// Move lifts the pin off its wire and solders it to another.
func (p *Pin) Move(to *Wire) {
	if p.home == nil && p.wire == to {
		return
	}
	p.Lift()
	p.home = to
	p.Join()
}

// Pins are those that are on the wire.
func (w *Wire) Pins() []*Pin { return slices.Clone(w.pins) }

// Driving is what the pin does to its wire.
func (p *Pin) Driving() Drive { return p.drive }

// Watch calls f after each change of the wire's level. A pin has one watcher.
func (p *Pin) Watch(f func(Level)) { p.watch = f }

func (w *Wire) resolve() {
	var high, low *Pin
	pull := PullDown
	for _, p := range w.pins {
		switch p.drive {
		case DriveHigh:
			high = p
		case DriveLow:
			low = p
		case PullUp:
			pull = PullUp
		}
	}
	level := pull == PullUp
	switch {
	case low != nil: // a short to ground wins, as it does on most boards
		level = false
	case high != nil:
		level = true
	}
	if both := high != nil && low != nil; both != w.conflict {
		w.conflict = both
		if both && w.OnConflict != nil {
			w.OnConflict(high, low)
		}
	}
	if Level(level) == w.level {
		return
	}
	w.level = Level(level)
	if w.OnChange != nil {
		w.OnChange(w.level)
	}
	now := w.level
	for _, p := range w.pins {
		if w.level != now {
			return // a watcher changed it again; its own round told the rest
		}
		if p.watch != nil {
			p.watch(now)
		}
	}
}

// String names the wire and its level.
func (w *Wire) String() string { return fmt.Sprintf("%s=%s", w.Name, w.level) }
