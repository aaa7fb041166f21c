package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// Place is a link between boards, or one of the ports of a link whose ports can be cut one by one.
type Place struct {
	Link *Link
	Port string // empty: the link itself
}

// String is the place's name: "lan", "lan:sensor.eth0".
func (p Place) String() string {
	if p.Port == "" {
		return p.Link.Name
	}
	return p.Link.Name + ":" + p.Port
}

// apart tells whether the link's ports can be cut one by one.
func (l *Link) apart() bool { return l.Kind.LinkType != 0 || l.Kind.Apart }

// portNames are the names of a link's ports that can be cut one by one, those of gateways too.
func (l *Link) portNames() []string {
	if !l.apart() {
		return nil
	}
	return named(l.Ends, func(e *End) string { return e.Name })
}

// port is the place of one of the link's ports; title is what kind of link messages call it.
func (l *Link) port(title, port string) (Place, error) {
	if names := l.portNames(); !slices.Contains(names, port) {
		return Place{}, fmt.Errorf("%s %s has no port %q%s", title, l.Name, port, periph.Suggest(port, names))
	}
	return Place{l, port}, nil
}

// SegmentPlace finds a segment, or a port of one ("lan:sensor.eth0").
func (a *Appliance) SegmentPlace(name string) (Place, error) {
	if segment, port, ok := strings.Cut(name, ":"); ok {
		return a.segmentPort(segment, port)
	}
	return Place{Link: a.segment(name)}, a.CheckSegment(name)
}

// LinkPlace finds what can be cut: a link, or a port of one ("lan:sensor.eth0").
func (a *Appliance) LinkPlace(name string) (Place, error) {
	name, port, ofPort := strings.Cut(name, ":")
	switch l := a.link(name); {
	case l == nil:
		return Place{}, Unknown("segment, link or wire", name, a.linkNames())
	case !ofPort:
		return Place{Link: l}, nil
	case !l.apart():
		return Place{}, fmt.Errorf("%s is a %s, which is cut as a whole: write %q", name, l.Kind.Name, name)
	case l.Kind.LinkType != 0:
		return a.segmentPort(name, port)
	default:
		return l.port(l.Kind.Name, port)
	}
}

// Cable is the port of a segment that a board's port is, false if it is on none.
func (a *Appliance) Cable(m *Member, port string) (Place, bool) {
	for _, l := range a.Joined() {
		for _, end := range l.hosts() {
			if l.Kind.LinkType != 0 && a.on(end, m) && end.Port == port {
				return Place{l, end.Name}, true
			}
		}
	}
	return Place{}, false
}

// Target is what a path leads to: something with properties on a segment, or on a
// board. Whoever takes a path, before anything boots or after, has it resolved here.
type Target struct {
	Name string // of the property

	Place              // its Link is nil: it is on a board
	Way   string       // of the port: one of [periph.Ways]
	Spec  *periph.Spec // of the property of such a place

	Member *Member
	Part   string // the part or the controller; empty: the property is the board's own
}

// Resolve finds what a path leads to: "segment.property", "segment:port.property", "segment:port.tx.property",
// "board.part.property", "board.controller.line" and "board.property".
func (a *Appliance) Resolve(path string) (*Target, error) {
	if segment, rest, ok := strings.Cut(path, ":"); ok {
		return a.portTarget(segment, rest)
	}
	place, rest, _ := strings.Cut(path, ".")
	if l := a.segment(place); l != nil && !strings.Contains(rest, ".") {
		return (&Target{Place: Place{Link: l}, Name: rest}).found()
	}
	m, err := a.member(place)
	if err != nil {
		return nil, err
	}
	part, name, ok := strings.Cut(rest, ".")
	if !ok {
		if _, err := find(m.Board.Properties(), rest, "board"); err != nil || rest == "" {
			return nil, fmt.Errorf("%q names nothing: write board.part.property, board.controller.line, board.cpus or board.memory", path)
		}
		part, name = "", rest
	}
	return &Target{Member: m, Part: part, Name: name}, nil
}

// portTarget resolves "sensor.eth0.loss", "sensor.eth0.tx.loss" and "outside.rx.frames"
// on a segment.
func (a *Appliance) portTarget(segment, rest string) (*Target, error) {
	if err := a.CheckSegment(segment); err != nil {
		return nil, err
	}
	t := &Target{Place: Place{Link: a.segment(segment)}}
	ports := t.Link.portNames()
	i := slices.IndexFunc(ports, func(p string) bool { return strings.HasPrefix(rest, p+".") })
	if i < 0 {
		return nil, fmt.Errorf("segment %s: %w", segment, Unknown("port", portIn(rest), ports))
	}
	t.Port, t.Name = ports[i], rest[len(ports[i])+1:]
	for _, way := range periph.Ways {
		if name, ok := strings.CutPrefix(t.Name, way+"."); ok {
			t.Way, t.Name = way, name
		}
	}
	return t.found()
}

// found finds the property of a place.
func (t *Target) found() (*Target, error) {
	specs := t.Link.Specs(t.Port, t.Way)
	i := slices.IndexFunc(specs, func(s periph.Spec) bool { return s.Name == t.Name })
	if i < 0 {
		return nil, fmt.Errorf("%s: %w", t.Where(), Unknown("property", t.Name, named(specs, func(s *periph.Spec) string { return s.Name })))
	}
	t.Spec = &specs[i]
	return t, nil
}

// Specs are the properties of the link, of a port, or of one of its ways; none if it is
// no segment.
func (l *Link) Specs(port, way string) []periph.Spec {
	if c, ok := l.Config.(periph.SegmentConfig); ok {
		return c.Specs(port, way)
	}
	return nil
}

// portIn is what was probably meant to be the port in "sensr.eth0.tx.loss".
func portIn(rest string) string {
	names := strings.SplitN(rest, ".", 3)
	return strings.Join(names[:min(2, len(names))], ".")
}

// Where is the path without the property's name.
func (t *Target) Where() string {
	switch {
	case t.Link == nil && t.Part == "":
		return t.Member.Name
	case t.Link == nil:
		return t.Member.Name + "." + t.Part
	case t.Way == "":
		return t.Place.String()
	}
	return t.Place.String() + "." + t.Way
}

// Spot is what a part's or a controller's name and that of a property lead to on a
// board: one of these.
type Spot struct {
	Spec *periph.Spec // the property of a part or controller
	Of   string       // which is of this model or kind

	Line   Line
	Missed bool // the line's edges that its guest was too slow for
}

// Resolve finds what target leaves to the board.
func (m *Member) Resolve(part, name string) (*Spot, error) {
	b := m.Board
	if part == "" {
		spec, err := find(b.Properties(), name, "board")
		return &Spot{Spec: spec, Of: "board"}, err
	}
	for _, p := range b.Parts() {
		if p.Name == part {
			if p.hasLine(name) {
				ref, err := b.Line(part+"."+name, "")
				return &Spot{Line: ref}, err
			}
			spec, err := propertyOf(p, name)
			if err != nil {
				return nil, err
			}
			return &Spot{Spec: spec, Of: p.Model.Name}, nil
		}
	}
	if c := b.controller(part); c != nil && len(c.Kind.Properties) > 0 {
		spec, err := find(c.Kind.Properties, name, c.Kind.Title)
		return &Spot{Spec: spec, Of: c.Kind.Title}, err
	}
	if !slices.Contains(b.names().controllers, part) {
		return nil, fmt.Errorf("board %s has no part %q%s", m.Name, part, periph.Suggest(part, b.places()))
	}
	line, missed := strings.CutSuffix(name, ".missed")
	ref, err := b.Line(part+"."+line, "")
	if err != nil {
		return nil, fmt.Errorf("board %s: %w", m.Name, err)
	}
	return &Spot{Line: ref, Missed: missed}, nil
}

// hasLine tells whether a GPIO line of the part has that name, and no property.
func (p *Part) hasLine(name string) bool {
	_, property := p.Model.Property(name)
	return !property && slices.Contains(p.Model.Lines, name)
}

// propertyOf finds the spec of a part's property.
func propertyOf(p *Part, name string) (*periph.Spec, error) {
	spec, err := find(p.Model.Properties, name, p.Model.Name)
	if err != nil {
		return nil, err
	}
	return spec.For(&p.Options), nil
}

// find is the property of that name of a model or a kind.
func find(specs []periph.Spec, name, of string) (*periph.Spec, error) {
	i := slices.IndexFunc(specs, func(s periph.Spec) bool { return s.Name == name })
	if i < 0 {
		names := named(specs, func(s *periph.Spec) string { return s.Name })
		return nil, fmt.Errorf("%s has no property %q%s", tomlfile.A(of), name, periph.Suggest(name, names))
	}
	return &specs[i], nil
}
