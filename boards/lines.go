package boards

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// lineNames finds a board's lines by their names: it may have very many.
type lineNames struct {
	parts       map[string]partPins
	controllers map[string]int // by name, the last of those that share one
	names       []string       // of controllers
	lines       []namedLines   // of each controller
}

type namedLines struct {
	at    map[string][]int
	names []string
}

// partPins is a part of a model that the catalog has: others can be soldered to its pins.
type partPins struct {
	chip  *Chip
	model *periph.Model
	lines int // the GPIO controller whose lines need no name before them, or -1
}

// nameLines looks at all lines of a board that has been read.
func nameLines(gpio []GPIO) *lineNames {
	n := &lineNames{parts: make(map[string]partPins), controllers: make(map[string]int), lines: make([]namedLines, len(gpio))}
	for i := range gpio {
		n.controllers[gpio[i].Name] = i
		n.names = append(n.names, gpio[i].Name)
		l := namedLines{at: make(map[string][]int)}
		for k, name := range gpio[i].Lines {
			if name != "" {
				l.at[name] = append(l.at[name], k)
				l.names = append(l.names, name)
			}
		}
		n.lines[i] = l
	}
	return n
}

// namePins adds the pins of the board's parts.
func (b *Board) namePins(catalog *periph.Catalog) {
	add := func(chips []Chip, lines int) {
		for i := range chips {
			if m, ok := catalog.Lookup(chips[i].Model); ok {
				b.lines.parts[chips[i].Name] = partPins{&chips[i], m, lines}
			}
		}
	}
	for _, c := range b.Controllers {
		add(c.Chip, -1)
	}
	for i := range b.GPIO {
		add(b.GPIO[i].Chip, i)
	}
	add(b.Chip, -1)
}

// Line finds a line: "gpio0.alarm", "gpio0.3", or without the controller where on >= 0;
// or the one that a part's pin is on, "expander0.p3".
func (b *Board) Line(text string, on int) (Line, error) { return b.line(text, on, 0) }

// maxSoldered is how many pins may be soldered to one another in a row.
const maxSoldered = 32

func (b *Board) line(text string, on, depth int) (Line, error) {
	name := text
	if controller, rest, ok := strings.Cut(text, "."); ok {
		if p, ok := b.lines.parts[controller]; ok {
			return b.pinLine(controller, rest, p, depth)
		}
		if on, ok = b.lines.controllers[controller]; !ok {
			return Line{}, fmt.Errorf("the board has no GPIO controller %q%s", controller, tomlfile.Suggest(controller, b.lines.names))
		}
		name = rest
	}
	if on < 0 {
		return Line{}, fmt.Errorf("%q is no line: write controller.line, such as \"gpio0.3\"", text)
	}
	g, named := &b.GPIO[on], &b.lines.lines[on]
	switch same := named.at[name]; len(same) {
	case 0:
	case 1:
		return Line{g.Name, same[0]}, nil
	default:
		return Line{}, fmt.Errorf("%d lines of %s are named %q: say the number of the one that you mean, such as %s.%d", len(same), g.Name, name, g.Name, same[0])
	}
	if i, err := strconv.Atoi(name); err == nil {
		if i < 0 || i >= len(g.Lines) {
			return Line{}, fmt.Errorf("%s has no line %d: its lines are 0 to %d", g.Name, i, len(g.Lines)-1)
		}
		return Line{g.Name, i}, nil
	}
	return Line{}, fmt.Errorf("%s has no line %q%s", g.Name, name, tomlfile.Suggest(name, named.names))
}

// PartLine is the GPIO line that the pin of a part is, by its name and its number among
// those of the part; false if it is none, or has a property that tells of it.
func (b *Board) PartLine(ref Line) (name string, number int, ok bool) {
	p, ok := b.lines.parts[ref.Provider]
	if !ok {
		return "", 0, false
	}
	name = p.model.Pins[ref.Offset].Name
	_, property := p.model.Property(name)
	number = slices.Index(p.model.Lines, name)
	return name, number, number >= 0 && !property
}

// pinLine is what a part's pin is on: the line that the part says, or itself.
func (b *Board) pinLine(part, name string, p partPins, depth int) (Line, error) {
	i := p.model.Pin(name)
	if i < 0 {
		pins := named(p.model.Pins, func(s *periph.PinSpec) string { return s.Name })
		return Line{}, fmt.Errorf("a %s has no pin %q%s", p.model.Name, name, tomlfile.Suggest(name, pins))
	}
	on, ok := p.chip.Pins[name]
	if !ok {
		return Line{part, i}, nil
	}
	if depth == maxSoldered {
		return Line{}, fmt.Errorf("%s.%s is soldered to itself, or there are more than %d pins in a row", part, name, maxSoldered)
	}
	return b.line(on, p.lines, depth+1)
}
