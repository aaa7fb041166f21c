package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// What the outside names, looked up in the description: a scenario's names are
// resolved before anything boots. Paths are those of [Running.Get], [Running.Set],
// [Running.Send] and [Running.Cut]. Each error ends with the nearest name, or with
// those that there are.

// CheckBoard says what is wrong with the name of a board.
func (a *Appliance) CheckBoard(name string) error {
	_, err := a.member(name)
	return err
}

func (a *Appliance) member(name string) (*Member, error) {
	if m := a.Member(name); m != nil {
		return m, nil
	}
	return nil, unknown("board", name, a.boardNames())
}

func (a *Appliance) boardNames() (names []string) {
	for i := range a.Board {
		names = append(names, a.Board[i].Name)
	}
	return names
}

// CheckConsole says what is wrong with the path of a console or UART.
func (a *Appliance) CheckConsole(path string) error {
	board, name, ok := strings.Cut(strings.Replace(path, ":", ".", 1), ".")
	m, err := a.member(board)
	if err != nil || !ok {
		return err
	}
	if names := m.Board.terminals(); !slices.Contains(names, name) {
		return fmt.Errorf("board %s has no console or UART %q%s", board, name, tomlfile.Suggest(name, names))
	}
	return nil
}

// terminals names a board's consoles and UARTs.
func (b *Board) terminals() []string {
	names := []string{MainConsole}
	for i := range b.Serial {
		names = append(names, b.Serial[i].Name)
	}
	for i := range b.Console {
		names = append(names, b.Console[i].Name)
	}
	return names
}

// CheckLine says what is wrong with the path of a GPIO line.
func (a *Appliance) CheckLine(path string) error {
	board, line, _ := strings.Cut(path, ".")
	m, err := a.member(board)
	if err != nil {
		return err
	}
	if _, err := m.Board.line(line, -1); err != nil {
		return fmt.Errorf("board %s: %w", board, err)
	}
	return nil
}

// CheckSegment says what is wrong with the name of a segment.
func (a *Appliance) CheckSegment(name string) error {
	if a.segment(name) != nil {
		return nil
	}
	var names []string
	for i := range a.Segment {
		names = append(names, a.Segment[i].Name)
	}
	return unknown("segment", name, names)
}

// CheckPort says what is wrong with the name of a port of a segment: board.port, or a gateway.
func (a *Appliance) CheckPort(segment, port string) error {
	if err := a.CheckSegment(segment); err != nil {
		return err
	}
	if names := a.portsOf(a.segment(segment)); !slices.Contains(names, port) {
		return fmt.Errorf("segment %s has no port %q%s", segment, port, tomlfile.Suggest(port, names))
	}
	return nil
}

// portsOf names all ports of a segment, those of gateways too.
func (a *Appliance) portsOf(s *Segment) []string {
	names := slices.Clone(s.Ports)
	for i := range a.Gateway {
		if a.Gateway[i].Segment == s.Name {
			names = append(names, a.Gateway[i].Name)
		}
	}
	return names
}

// CheckLink says what is wrong with the name of what can be cut: a segment, a
// serial link, a wire, or a port ("lan:sensor.eth0").
func (a *Appliance) CheckLink(name string) error {
	if segment, port, ok := strings.Cut(name, ":"); ok {
		return a.CheckPort(segment, port)
	}
	var names []string
	for i := range a.Segment {
		names = append(names, a.Segment[i].Name)
	}
	for i := range a.Serial {
		names = append(names, a.Serial[i].Name)
	}
	for i := range a.Wire {
		names = append(names, a.Wire[i].Name)
	}
	if !slices.Contains(names, name) {
		return unknown("segment, link or wire", name, names)
	}
	return nil
}

// BoardNames are the boards of events; that of what belongs to no board is empty.
func (a *Appliance) BoardNames() []string { return append([]string{""}, a.boardNames()...) }

// PartNames are the parts of events: those of boards, and what is between boards.
func (a *Appliance) PartNames() []string {
	names := []string{""}
	for i := range a.Board {
		names = append(names, a.Board[i].Board.partNames()...)
	}
	for i := range a.Segment {
		s := &a.Segment[i]
		names = append(names, s.Name)
		for _, p := range a.portsOf(s) {
			names = append(names, s.Name+":"+p, s.Name+":"+p+".tx", s.Name+":"+p+".rx")
		}
	}
	for i := range a.Serial {
		names = append(names, a.Serial[i].Name)
	}
	for i := range a.Wire {
		names = append(names, a.Wire[i].Name)
	}
	for i := range a.Gateway {
		names = append(names, a.Gateway[i].Name)
	}
	return names
}

// partNames are the names of all that a board has events of.
func (b *Board) partNames() []string {
	names := append(b.terminals(), "rng", "agent")
	for i := range b.GPIO {
		names = append(names, b.GPIO[i].Name)
	}
	for i := range b.I2C {
		names = append(names, b.I2C[i].Name)
	}
	for i := range b.Ethernet {
		names = append(names, b.Ethernet[i].Name)
	}
	for _, p := range b.allParts() {
		names = append(names, p.Name)
	}
	return names
}

// Property is what is known of a property before anything boots.
type Property struct {
	what string      // "temperature of a tmp102"
	kind periph.Kind // of its value
	enum []string    // the words that it can be, if those are known
	// loose values are not written in one way alone: "50us" is read back as "50µs",
	// and a port's two directions may differ.
	loose bool
	set   func(string) error // what is wrong with a value that it is set to; nil: it cannot be set
}

// Property finds a property, a GPIO line or a setting of a network.
func (a *Appliance) Property(path string) (*Property, error) {
	if segment, rest, ok := strings.Cut(path, ":"); ok {
		return a.portProperty(segment, rest)
	}
	place, rest, ok := strings.Cut(path, ".")
	if a.segment(place) != nil && !strings.Contains(rest, ".") {
		return a.netProperty(place, rest, segmentProperties, place)
	}
	m, err := a.member(place)
	if err != nil {
		return nil, err
	}
	part, name, named := strings.Cut(rest, ".")
	if !ok || !named {
		return nil, fmt.Errorf("%q leads nowhere: write board.part.property, or board.controller.line", path)
	}
	return m.Board.property(part, name, m.Name)
}

var upOrDown = []string{"up", "down"}

func (b *Board) property(part, name, board string) (*Property, error) {
	for _, p := range b.allParts() {
		if p.Name == part {
			return p.property(name)
		}
	}
	switch {
	case b.serial(part) != nil:
		if !slices.Contains(uartCounters, name) {
			return nil, unknown("counter of a UART", name, slices.Clone(uartCounters))
		}
		return &Property{what: part + "." + name, kind: periph.Whole}, nil
	case b.ethernet(part) != nil:
		if name != "link" {
			return nil, unknown("property of an Ethernet port", name, []string{"link"})
		}
		return &Property{what: part + "." + name, kind: periph.Text, enum: upOrDown, set: oneOf("a link", upOrDown)}, nil
	}
	var names []string
	for i := range b.GPIO {
		if b.GPIO[i].Name != part {
			names = append(names, b.GPIO[i].Name)
			continue
		}
		line, missed := strings.CutSuffix(name, ".missed")
		if _, err := b.line(part+"."+line, -1); err != nil {
			return nil, fmt.Errorf("board %s: %w", board, err)
		}
		if missed {
			return &Property{what: part + "." + name, kind: periph.Whole}, nil
		}
		return &Property{what: part + "." + name, kind: periph.Whole, set: checkProbe}, nil
	}
	for _, p := range b.allParts() {
		names = append(names, p.Name)
	}
	for i := range b.Serial {
		names = append(names, b.Serial[i].Name)
	}
	for i := range b.Ethernet {
		names = append(names, b.Ethernet[i].Name)
	}
	return nil, fmt.Errorf("board %s has no part %q%s", board, part, tomlfile.Suggest(part, names))
}

// uartCounters are what a UART counts.
var uartCounters = []string{"sent", "received", "overrun"}

func (p *part) property(name string) (*Property, error) {
	spec, err := propertyOf(p, name)
	if err != nil {
		return nil, err
	}
	found := &Property{what: fmt.Sprintf("%s of a %s", name, p.model.Name), kind: spec.Kind, enum: spec.Enum}
	if !spec.ReadOnly {
		found.set = func(value string) error {
			_, err := spec.Parse(value)
			return err
		}
	}
	return found, nil
}

// CheckSet says why the property cannot be set to a value. Of one that is not
// known yet, known is false.
func (p *Property) CheckSet(value string, known bool) error {
	if p.set == nil {
		return fmt.Errorf("%s can only be read", p.what)
	}
	if !known {
		return nil
	}
	return p.set(value)
}

// CheckGet says why the property cannot be read.
func (p *Property) CheckGet() error {
	if p.kind == periph.Action {
		return fmt.Errorf("%s is something to do, and cannot be read", p.what)
	}
	return nil
}

// CheckNumber says why the property's value can never be compared with numbers.
func (p *Property) CheckNumber() error {
	if p.kind == periph.Switch || p.kind == periph.Text {
		return fmt.Errorf("%s is a %s, and no number to be above, below or between: say equals", p.what, p.kind)
	}
	return nil
}

// CheckEquals says why the property can never have a value.
func (p *Property) CheckEquals(value string) error {
	if p.loose {
		return nil
	}
	spec := periph.Spec{Name: p.what, Kind: p.kind, Enum: p.enum}
	if p.kind == periph.Whole || p.kind == periph.Number {
		if _, err := (&periph.Spec{Kind: periph.Switch}).Parse(value); err == nil {
			return nil // a line's level, as a switch has it
		}
	}
	_, err := spec.Parse(value)
	return err
}

// oneOf makes a check of a value that is one of a few words.
func oneOf(what string, words []string) func(string) error {
	return func(value string) error {
		if slices.Contains(words, value) {
			return nil
		}
		return fmt.Errorf("%q is no state of %s: say %s", value, what, strings.Join(words, " or "))
	}
}

func checkProbe(value string) error {
	_, err := probeDrive(value)
	return err
}

// propertyOf finds the spec of a part's property.
func propertyOf(p *part, name string) (*periph.Spec, error) {
	model := p.model
	spec, ok := model.Property(name)
	if !ok {
		var names []string
		for _, s := range model.Properties {
			names = append(names, s.Name)
		}
		return nil, fmt.Errorf("a %s has no property %q%s", model.Name, name, tomlfile.Suggest(name, names))
	}
	return spec.For(&p.options), nil
}

// Kind is the kind of the property's value.
func (p *Property) Kind() periph.Kind { return p.kind }
