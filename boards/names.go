package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus/wire"
)

// What the outside names, looked up in the description: a scenario's names are
// resolved before anything boots. Paths are those that a running appliance takes, to get,
// set, send or cut something. Each error ends with the nearest name, or with
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
	var cards []string
	for _, m := range a.Members() {
		if m.Slot == name && name != "" {
			cards = append(cards, m.Name)
		}
	}
	if len(cards) > 0 {
		return nil, fmt.Errorf("%s is a slot: name the board that is in it (%s)", name, strings.Join(cards, " or "))
	}
	if l := a.link(name); l != nil {
		return nil, fmt.Errorf("%s is %s, and no board", name, tomlfile.A(l.Kind.Name))
	}
	return nil, Unknown("board", name, a.boardNames())
}

// named are the names of a list's items.
func named[T any](list []T, name func(*T) string) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = name(&list[i])
	}
	return names
}

func (a *Appliance) boardNames() []string {
	return named(a.Members(), func(m **Member) string { return (*m).Name })
}

// segmentNames are the segments of all kinds, and linkNames all that can be cut as a whole.
func (a *Appliance) segmentNames() (names []string) {
	for _, l := range a.Joined() {
		if l.Kind.LinkType != 0 {
			names = append(names, l.Name)
		}
	}
	return names
}

func (a *Appliance) linkNames() []string {
	return named(a.Joined(), func(l **Link) string { return (*l).Name })
}

// Terminals names a board's consoles and UARTs.
func (b *Board) Terminals() (names []string) {
	for _, c := range b.Controllers() {
		if c.Kind.Terminal {
			names = append(names, c.Name)
		}
	}
	return names
}

// places names all that has properties on a board.
func (b *Board) places() []string {
	parts := named(b.Parts(), func(p **Part) string { return (*p).Name })
	for _, c := range b.Controllers() {
		if _, ok := c.lines(); ok || len(c.Kind.Properties) > 0 {
			parts = append(parts, c.Name)
		}
	}
	return parts
}

// CheckConsole says what is wrong with the path of a console or UART.
func (a *Appliance) CheckConsole(path string) error {
	board, name, ok := strings.Cut(strings.Replace(path, ":", ".", 1), ".")
	m, err := a.member(board)
	if err != nil || !ok {
		return err
	}
	if names := m.Board.Terminals(); !slices.Contains(names, name) {
		return fmt.Errorf("board %s has no console or UART %q%s", board, name, periph.Suggest(name, names))
	}
	return nil
}

// CheckLine says what is wrong with the path of a GPIO line.
func (a *Appliance) CheckLine(path string) error {
	board, line, _ := strings.Cut(path, ".")
	m, err := a.member(board)
	if err != nil {
		return err
	}
	if _, err := m.Board.Line(line, ""); err != nil {
		return fmt.Errorf("board %s: %w", board, err)
	}
	return nil
}

// CheckSegment says what is wrong with the name of a segment.
func (a *Appliance) CheckSegment(name string) error {
	if a.segment(name) != nil {
		return nil
	}
	return Unknown("segment", name, a.segmentNames())
}

// CheckFrames says what is wrong with the name of a segment whose frames are expected: there
// are events of kind "frame" of Ethernet alone.
func (a *Appliance) CheckFrames(name string) error {
	if err := a.CheckSegment(name); err != nil {
		return err
	}
	if l := a.segment(name); l.network() == nil {
		return fmt.Errorf("%s is a %s, and frames is for Ethernet: write event = %q", name, l.Kind.Name, l.Kind.Events[0].Name)
	}
	return nil
}

// CheckPort says what is wrong with the name of a port of a segment: board.port, or a gateway.
func (a *Appliance) CheckPort(segment, port string) error {
	_, err := a.segmentPort(segment, port)
	return err
}

func (a *Appliance) segmentPort(segment, port string) (Place, error) {
	if err := a.CheckSegment(segment); err != nil {
		return Place{}, err
	}
	return a.segment(segment).port("segment", port)
}

// CheckPlace says what is wrong with the name of a segment or of a port ("lan:sensor.eth0").
func (a *Appliance) CheckPlace(name string) error {
	_, err := a.SegmentPlace(name)
	return err
}

// CheckLink says what is wrong with the name of what can be cut.
func (a *Appliance) CheckLink(name string) error {
	_, err := a.LinkPlace(name)
	return err
}

// BoardNames are the boards of events; that of what belongs to no board is empty.
func (a *Appliance) BoardNames() []string { return append([]string{""}, a.boardNames()...) }

// PartNames are the parts of events of such boards, and of what is between boards: there
// are events at a board's end of that.
func (a *Appliance) PartNames(of func(board string) bool) []string {
	names := []string{""}
	for _, m := range a.Members() {
		if of(m.Name) {
			names = append(names, m.Board.partNames()...)
		}
	}
	names = append(names, a.linkNames()...)
	for _, l := range a.Joined() {
		for _, p := range l.portNames() {
			at := Place{l, p}.String()
			names = append(names, at)
			for _, way := range periph.Ways {
				names = append(names, at+"."+way)
			}
		}
	}
	return append(names, named(a.Gateway, func(g *Gateway) string { return g.Name })...)
}

// partNames are the names of all that a board has events of.
func (b *Board) partNames() []string {
	return append(b.places(), named(b.Controllers(), func(c **Controller) string { return (*c).Name })...)
}

// The names of a board's own properties.
const (
	CPUs   = "cpus"   // how many of its CPUs are online
	Memory = "memory" // how much memory it has
)

// Properties are those of the board itself.
func (b *Board) Properties() []periph.Spec {
	return []periph.Spec{
		{Name: CPUs, Kind: periph.Whole, Min: 1, Max: float64(b.CPUs), Doc: "CPUs that are online"},
		{Name: Memory, Kind: periph.Text, Loose: true, Valid: b.validMemory, Doc: "memory that it has, at most that of its file"},
	}
}

// validMemory says what is wrong with an amount of memory that the board is to have.
func (b *Board) validMemory(v periph.Value) error {
	var size Size
	if err := size.UnmarshalText([]byte(v.Text())); err != nil {
		return err
	}
	if size < MinMemory || size > b.Memory {
		return fmt.Errorf("memory is %s; it must be %s to %s, which its file gives it", size, Size(MinMemory), b.Memory)
	}
	if size%4096 != 0 {
		return fmt.Errorf("memory is %s; it must be whole pages of 4K", size)
	}
	return nil
}

// Property is what is known of a property before anything boots.
type Property struct {
	spec periph.Spec        // what it can be; its name is "temperature of a tmp102"
	set  func(string) error // what is wrong with a value that it is set to; nil: it cannot be set
}

// Property finds a property, a GPIO line or a setting of a network.
func (a *Appliance) Property(path string) (*Property, error) {
	t, err := a.Resolve(path)
	if err != nil {
		return nil, err
	}
	if t.Link != nil {
		return property(t.Spec, t.Where()+"."+t.Name), nil
	}
	s, err := t.Member.Resolve(t.Part, t.Name)
	if err != nil {
		return nil, err
	}
	found := &Property{spec: periph.Spec{Name: t.Part + "." + t.Name, Kind: periph.Whole}}
	switch {
	case s.Spec != nil:
		return property(s.Spec, fmt.Sprintf("%s of %s", s.Spec.Name, tomlfile.A(s.Of))), nil
	case s.Missed:
	default:
		found.spec.Max, found.set = 1, checkProbe
	}
	return found, nil
}

func property(spec *periph.Spec, what string) *Property {
	found := &Property{spec: *spec}
	found.spec.Name, found.spec.Valid = what, nil // which is about setting it
	if !spec.ReadOnly {
		found.set = func(value string) error {
			_, err := spec.Parse(value)
			return err
		}
	}
	return found
}

// CheckSet says why the property cannot be set to a value. Of one that is not
// known yet, known is false.
func (p *Property) CheckSet(value string, known bool) error {
	if p.set == nil {
		return fmt.Errorf("%s is read-only", p.spec.Name)
	}
	if !known {
		return nil
	}
	return p.set(value)
}

// ReadOnly tells whether the property cannot be set.
func (p *Property) ReadOnly() bool { return p.set == nil }

// CheckGet says why the property cannot be read.
func (p *Property) CheckGet() error {
	if p.spec.Kind == periph.Action {
		return fmt.Errorf("%s is an action, and cannot be read", p.spec.Name)
	}
	return nil
}

// CheckEquals says why the property can never have a value.
func (p *Property) CheckEquals(value string) error {
	if p.spec.Loose {
		return nil
	}
	if p.spec.Kind == periph.Whole || p.spec.Kind == periph.Number {
		if _, err := (&periph.Spec{Kind: periph.Switch}).Parse(value); err == nil {
			return nil // a line's level, as a switch has it
		}
	}
	_, err := p.spec.Parse(value)
	return err
}

// CheckReach says why the property can never be a number from low to high, which are
// among those unless they are excluded.
func (p *Property) CheckReach(low, high float64, excluded bool) error {
	if p.spec.Kind == periph.Switch || p.spec.Kind == periph.Text {
		return fmt.Errorf("%s is a %s, not a number to be above, below or between: use equals", p.spec.Name, p.spec.Kind)
	}
	span, s := p.spec.Span(), &p.spec
	if span != "" && !s.Loose && (low > s.Max || high < s.Min || excluded && (low == s.Max || high == s.Min)) {
		return fmt.Errorf("%s is %s, and can never be that", s.Name, span)
	}
	return nil
}

func checkProbe(value string) error {
	_, err := ProbeDrive(value)
	return err
}

// Kind is the kind of the property's value.
func (p *Property) Kind() periph.Kind { return p.spec.Kind }

// MainConsole is the name of a board's main console.
const MainConsole = "console"

// AgentConsole is the name of the console of a board's agent.
const AgentConsole = "agent"

// ConsolePlace is the board and the console that "board.uart1", "board:uart1" and
// "board" name: that without a name is its main console.
func ConsolePlace(path string) (board, console string) {
	board, console, ok := strings.Cut(strings.Replace(path, ":", ".", 1), ".")
	if !ok {
		console = MainConsole
	}
	return board, console
}

// ProbeDrive is what a value that a line is set to from outside does to it.
func ProbeDrive(value string) (wire.Drive, error) {
	drive, ok := map[string]wire.Drive{"0": wire.DriveLow, "low": wire.DriveLow, "1": wire.DriveHigh, "high": wire.DriveHigh,
		"float": wire.Float, "up": wire.PullUp, "down": wire.PullDown}[value]
	if !ok {
		return drive, fmt.Errorf("%q cannot be done to a line: use 0, 1, up or down (a pull), or float", value)
	}
	return drive, nil
}
