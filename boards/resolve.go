package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// target is what a path leads to: something with properties on a network, or on a
// board. Whoever takes a path, before anything boots or after, has it resolved here.
type target struct {
	name string // of the property

	segment *Segment // nil: it is on a board
	port    string   // of the segment; empty: the segment itself
	way     string   // tx or rx: one direction of the port

	member *Member
	part   string // the part or the controller
}

// target resolves "segment.property", "segment:port.property", "segment:port.tx.property",
// "board.part.property" and "board.controller.line".
func (a *Appliance) target(path string) (*target, error) {
	if segment, rest, ok := strings.Cut(path, ":"); ok {
		return a.portTarget(segment, rest)
	}
	place, rest, _ := strings.Cut(path, ".")
	if s := a.segment(place); s != nil && !strings.Contains(rest, ".") {
		return &target{segment: s, name: rest}, nil
	}
	m, err := a.member(place)
	if err != nil {
		return nil, err
	}
	part, name, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, fmt.Errorf("%q leads nowhere: write board.part.property, or board.controller.line", path)
	}
	return &target{member: m, part: part, name: name}, nil
}

// portTarget resolves "sensor.eth0.loss", "sensor.eth0.tx.loss" and "outside.rx.frames"
// on a segment.
func (a *Appliance) portTarget(segment, rest string) (*target, error) {
	if err := a.CheckSegment(segment); err != nil {
		return nil, err
	}
	t := &target{segment: a.segment(segment)}
	ports := a.portsOf(t.segment)
	i := slices.IndexFunc(ports, func(p string) bool { return strings.HasPrefix(rest, p+".") })
	if i < 0 {
		return nil, fmt.Errorf("segment %s: %w", segment, unknown("port", portIn(rest), ports))
	}
	t.port, t.name = ports[i], rest[len(ports[i])+1:]
	for _, d := range directions {
		if name, ok := strings.CutPrefix(t.name, d.String()+"."); ok {
			t.way, t.name = d.String(), name
		}
	}
	return t, nil
}

// portIn is what was probably meant to be the port in "sensr.eth0.tx.loss".
func portIn(rest string) string {
	names := strings.SplitN(rest, ".", 3)
	return strings.Join(names[:min(2, len(names))], ".")
}

// place is the path without the property's name.
func (t *target) place() string {
	switch {
	case t.segment == nil:
		return t.member.Name + "." + t.part
	case t.port == "":
		return t.segment.Name
	case t.way == "":
		return t.segment.Name + ":" + t.port
	}
	return t.segment.Name + ":" + t.port + "." + t.way
}

// spot is what a part's or a controller's name and that of a property lead to on a
// board: one of these.
type spot struct {
	part *part
	spec *periph.Spec // the part's property

	uart     *Serial   // whose counter it is
	ethernet *Ethernet // whose link it is

	line   lineRef
	missed bool // the line's edges that its guest was too slow for
}

// spot resolves what target leaves to the board.
func (m *Member) spot(part, name string) (*spot, error) {
	b := m.Board
	for _, p := range b.allParts() {
		if p.Name == part {
			spec, err := propertyOf(p, name)
			if err != nil {
				return nil, err
			}
			return &spot{part: p, spec: spec}, nil
		}
	}
	if uart := b.serial(part); uart != nil {
		if !slices.Contains(uartCounters, name) {
			return nil, unknown("counter of a UART", name, slices.Clone(uartCounters))
		}
		return &spot{uart: uart}, nil
	}
	if e := b.ethernet(part); e != nil {
		if name != "link" {
			return nil, unknown("property of an Ethernet port", name, []string{"link"})
		}
		return &spot{ethernet: e}, nil
	}
	if !slices.Contains(named(b.GPIO, gpioName), part) {
		return nil, fmt.Errorf("board %s has no part %q%s", m.Name, part, tomlfile.Suggest(part, b.places()))
	}
	line, missed := strings.CutSuffix(name, ".missed")
	ref, err := b.line(part+"."+line, -1)
	if err != nil {
		return nil, fmt.Errorf("board %s: %w", m.Name, err)
	}
	return &spot{line: ref, missed: missed}, nil
}

// uartCounters are what a UART counts.
var uartCounters = []string{"sent", "received", "overrun"}

// propertyOf finds the spec of a part's property.
func propertyOf(p *part, name string) (*periph.Spec, error) {
	model := p.model
	spec, ok := model.Property(name)
	if !ok {
		names := named(model.Properties, func(s *periph.Spec) string { return s.Name })
		return nil, fmt.Errorf("a %s has no property %q%s", model.Name, name, tomlfile.Suggest(name, names))
	}
	return spec.For(&p.options), nil
}
