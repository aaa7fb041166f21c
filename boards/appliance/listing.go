package appliance

import (
	"slices"

	"backplane/boards"
	"backplane/periph"
)

// BoardState is how a board is doing.
type BoardState struct {
	Name   string  `json:"name"`
	State  string  `json:"state"` // off, on, up, panic, lost, stuck, unplugged
	CPUs   int     `json:"cpus"`
	Memory int64   `json:"memory"` // bytes
	Up     float64 `json:"up"`     // seconds since it was switched on, 0 if it is off
	PID    int     `json:"pid"`    // of its kernel, on the host; 0 if it is off
}

// States are those of all boards, in the order of the appliance file.
func (r *Running) States() []BoardState {
	list := []BoardState{}
	for _, m := range r.machines() {
		m.domain.Look(func() {
			b := BoardState{Name: m.name, State: m.state, CPUs: m.board.CPUs, Memory: int64(m.board.Memory)}
			if m.proc != nil {
				b.Up, b.PID = m.domain.Now().Sub(m.on).Seconds(), m.proc.PID()
			}
			switch m.state {
			case "":
				b.State = StateOff
			case StateUp:
				b.State = "up"
			}
			if m.away {
				b.State = StateUnplugged
			}
			list = append(list, b)
		})
	}
	return list
}

// Reading is a property that can be read, and its value.
type Reading struct {
	Path  string `json:"path"`
	Value string `json:"value"`
	Unit  string `json:"unit,omitempty"`
	// Unplugged tells whether it is of a part that is off its board.
	Unplugged bool `json:"unplugged,omitempty"`
}

// Readings are all that Get reads, with their values.
func (r *Running) Readings() []Reading {
	list := []Reading{}
	for _, m := range r.machines() {
		m.domain.Look(func() {
			m.eachProperty(func(part, name string, action bool) {
				if action {
					return
				}
				if v, unit, err := m.get(part, name); err == nil {
					p := m.named[part]
					list = append(list, Reading{m.path(part, name), v, unit, p != nil && !p.seat.Sits()})
				}
			})
		})
	}
	for _, path := range r.segmentPaths() {
		if v, unit, err := r.Get(path); err == nil {
			list = append(list, Reading{Path: path, Value: v, Unit: unit})
		}
	}
	return list
}

// eachProperty calls f with all of a board's properties, also those that only do
// something.
func (m *Machine) eachProperty(f func(part, name string, action bool)) {
	for _, s := range m.board.Properties() {
		f("", s.Name, false)
	}
	for _, p := range m.parts {
		for _, s := range p.specs() {
			f(p.name, s.Name, s.Kind == periph.Action)
		}
	}
	for _, p := range m.parts {
		for _, line := range m.board.LineNames(p.name) {
			f(p.name, line, false)
		}
	}
}

// path is that of a property; part is empty for one of the board's own.
func (m *Machine) path(part, name string) string {
	if part != "" {
		name = part + "." + name
	}
	return m.name + "." + name
}

// segmentPaths are the properties of segments and their ports.
func (r *Running) segmentPaths() (list []string) {
	for _, p := range r.segmentPlaces() {
		for _, s := range p.Link.Specs(p.Port, "") {
			list = append(list, p.String()+"."+s.Name)
		}
	}
	return list
}

// segmentPlaces are all segments, each with its ports.
func (r *Running) segmentPlaces() (list []boards.Place) {
	for _, l := range r.segments() {
		list = append(list, boards.Place{Link: l})
		for _, e := range l.Ends {
			list = append(list, boards.Place{Link: l, Port: e.Name})
		}
	}
	return list
}

// Places are what can be named of a kind: "board", "console" (board:console),
// "property", "action" (what can be set, actions too), "button", "link" (what can be
// cut), "plug" (what can be unplugged), or "capture".
func (r *Running) Places(kind string) []string {
	list := []string{}
	for _, m := range r.machines() {
		m.domain.Look(func() { list = append(list, m.places(kind)...) })
	}
	switch kind {
	case "property":
		list = append(list, r.segmentPaths()...)
	case "action":
		list = slices.DeleteFunc(append(list, r.segmentPaths()...), r.readOnly)
	case "link":
		for _, l := range r.appliance.Joined() {
			if l.Kind.LinkType == 0 {
				list = append(list, l.Name)
			}
			if l.Kind.Apart {
				for _, e := range l.Ends {
					list = append(list, boards.Place{Link: l, Port: e.Name}.String())
				}
			}
		}
		for _, p := range r.segmentPlaces() {
			list = append(list, p.String())
		}
		slices.Sort(list)
	case "plug":
		list = append(list, r.appliance.Plugs()...)
	case "capture":
		for _, p := range r.segmentPlaces() {
			list = append(list, p.String())
		}
	}
	return list
}

// places are those of a board.
func (m *Machine) places(kind string) (list []string) {
	switch kind {
	case "board":
		list = append(list, m.name)
	case "console":
		for _, t := range m.terminals() {
			list = append(list, m.name+":"+t.name)
		}
	case "serial":
		for _, name := range m.serialPorts() {
			list = append(list, m.name+"."+name)
		}
	case "property", "action", "button":
		m.eachProperty(func(part, name string, action bool) {
			switch {
			case kind == "button" && action && name == "press":
				list = append(list, m.name+"."+part)
			case kind == "property" && !action, kind == "action":
				list = append(list, m.path(part, name))
			}
		})
	}
	return list
}

// readOnly tells whether a property can only be read.
func (r *Running) readOnly(path string) bool {
	p, err := r.appliance.Property(path)
	return err != nil || p.ReadOnly()
}
