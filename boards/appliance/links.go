package appliance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// link is what Cut and Restore act on.
type link interface{ setCut(cut bool) }

// connect makes what runs between the boards.
func (r *Running) connect(a *boards.Appliance) error {
	for i := range a.Segment {
		if err := r.addSegment(&a.Segment[i]); err != nil {
			return err
		}
	}
	for i := range a.Serial {
		r.addSerial(&a.Serial[i])
	}
	for i := range a.Wire {
		r.addWire(&a.Wire[i])
	}
	for i := range a.Gateway {
		if err := r.addGateway(&a.Gateway[i]); err != nil {
			return err
		}
	}
	for i := range a.Segment {
		r.configure(&a.Segment[i])
	}
	for i := range a.Capture {
		if err := r.addCapture(a, &a.Capture[i]); err != nil {
			return err
		}
	}
	return nil
}

// place splits board.rest, both of which the appliance's check has found.
func (r *Running) place(text string) (*Machine, string) {
	board, rest, _ := strings.Cut(text, ".")
	m, _ := r.machine(board)
	return m, rest
}

// serialLink joins two UARTs.
type serialLink struct {
	cut [2]bool // each side's own view
	m   [2]*Machine
}

func (r *Running) addSerial(s *boards.Link) {
	l := &serialLink{}
	var ends [2]*terminal
	for i, text := range s.Ports {
		m, name := r.place(text)
		l.m[i], ends[i] = m, m.consoles[name]
	}
	for i := range ends {
		from, to := l.m[i], l.m[1-i]
		there := ends[1-i].uart
		if from.domain != to.domain {
			r.cal.Connect(from.domain, to.domain, 10*time.Second/time.Duration(ends[i].uart.Baud()))
		}
		ends[i].uart.OnSend = func(p []byte, at simbus.Time) {
			if !l.cut[i] {
				from.domain.SendAt(to.domain, at, func() { _ = there.In(p) }) // OnOverrun tells
			}
		}
	}
	r.links[s.Name] = l
}

func (l *serialLink) setCut(cut bool) {
	for i, m := range l.m {
		m.domain.Do(func() { l.cut[i] = cut })
	}
}

// wireLink is a wire from a board to another.
type wireLink struct {
	name  string
	to    *Machine
	pin   *wire.Pin
	level wire.Level // at the far end, as if it were not cut
	cut   bool

	// Of the sender's domain: when changes arrive that are under way, and what to do
	// about those that were too many.
	underway []simbus.Time
	late     *simbus.Timer
	lost     int
	latest   wire.Level
}

// maxUnderway is how many changes of level may be under way on a wire: a delay that is
// long, and a guest that is fast, would keep any number of them.
const maxUnderway = 1 << 16

// send lets a change of level arrive after the wire's delay. One that is too many is lost,
// but not what the level is in the end.
func (l *wireLink) send(from *Machine, delay time.Duration, level wire.Level) {
	l.latest = level
	now, gone := from.domain.Now(), 0
	for gone < len(l.underway) && l.underway[gone] <= now {
		gone++
	}
	if gone > len(l.underway)/2 {
		l.underway = append(l.underway[:0], l.underway[gone:]...)
		gone = 0
	}
	if len(l.underway)-gone >= maxUnderway {
		if l.lost++; l.lost&(l.lost-1) == 0 { // the first, the second, the fourth ...
			from.fault("", fmt.Sprintf("wire %s: %d changes of level are under way, and no more can be: %d are lost so far", l.name, maxUnderway, l.lost))
		}
		if l.late == nil {
			l.late = from.domain.At(l.underway[gone], func() {
				l.late = nil
				l.send(from, delay, l.latest)
			})
		}
		return
	}
	l.underway = append(l.underway, now.Add(delay))
	from.domain.Send(l.to.domain, delay, func() {
		l.level = level
		l.drive()
	})
}

func (r *Running) addWire(w *boards.Wire) {
	from, fromLine := r.place(w.From)
	to, toLine := r.place(w.To)
	fromRef, _ := from.board.Line(fromLine, -1) // both were checked
	toRef, _ := to.board.Line(toLine, -1)
	delay := time.Duration(w.Delay)
	if from.domain != to.domain {
		r.cal.Connect(from.domain, to.domain, delay)
	}

	l := &wireLink{name: w.Name, to: to, pin: to.wire(toRef).NewPin("wire " + w.Name)}
	l.drive()
	from.wire(fromRef).NewPin("wire " + w.Name).Watch(func(level wire.Level) {
		if delay == 0 { // both are in one domain
			l.level = level
			l.drive()
			return
		}
		l.send(from, delay, level)
	})
	r.links[w.Name] = l
}

func (l *wireLink) drive() {
	if l.cut {
		l.pin.Drive(wire.Float)
	} else {
		l.pin.Drive(l.level.Strong())
	}
}

func (l *wireLink) setCut(cut bool) {
	l.to.domain.Do(func() {
		l.cut = cut
		l.drive()
	})
}

// Cut cuts a segment, a serial link or a wire, by name, or one port off its
// segment: "lan:sensor.eth0".
func (r *Running) Cut(name string) error {
	return r.input(record.Input{Do: record.DoCut, Path: name}, func() error { return r.setCut(name, true, linkCut) })
}

// Restore ends a Cut.
func (r *Running) Restore(name string) error {
	return r.input(record.Input{Do: record.DoRestore, Path: name}, func() error { return r.setCut(name, false, linkRestored) })
}

func (r *Running) setCut(name string, cut bool, state string) error {
	l, ok := r.links[name]
	if !ok {
		return boards.Unknown("segment, link or wire", name, slices.Sorted(maps.Keys(r.links)))
	}
	r.cal.Emit(simbus.Event{Part: name, Kind: simbus.KindLink, Attrs: []simbus.Attr{simbus.Text("state", state)}})
	l.setCut(cut)
	return nil
}
