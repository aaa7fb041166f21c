package boards

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backplane/periph"
)

// lineNames finds a board's lines by their names: it may have very many.
type lineNames struct {
	providers   map[string]*lineProvider
	controllers []string // the names of those of them that are controllers
}

// lineProvider is what has lines: a controller, or a part, whose pins others can be
// soldered to.
type lineProvider struct {
	name  string
	at    map[string][]int // the lines of a name
	names []string         // those that there are
	count int              // of lines

	// Of a part, whose lines have no numbers to call them by.
	model *periph.Model
	chip  *Chip
	on    string // the controller whose lines need no name before them; empty for none
}

// nameLines looks at all lines of a board that has been read. Of a controller and a part
// of one name, which is refused elsewhere, the part counts.
func (b *Board) nameLines(catalog *periph.Catalog) *lineNames {
	n := &lineNames{providers: make(map[string]*lineProvider)}
	for _, c := range b.Controllers() {
		n.controller(c)
	}
	for _, c := range b.Controllers() {
		n.chips(catalog, c.Chip, c.socket().lines)
	}
	n.chips(catalog, b.Chip, "")
	return n
}

// controller adds the lines of a controller, if it has any.
func (n *lineNames) controller(c *Controller) {
	if names, ok := c.lines(); ok {
		n.add(&lineProvider{name: c.Name}, names)
		n.controllers = append(n.controllers, c.Name)
	}
}

// chips adds the pins of parts; on is the controller whose lines need no name before them.
func (n *lineNames) chips(catalog *periph.Catalog, list []Chip, on string) {
	for i := range list {
		if m, ok := catalog.Lookup(list[i].Model); ok {
			pins := named(m.Pins, func(s *periph.PinSpec) string { return s.Name })
			n.add(&lineProvider{name: list[i].Name, model: m, chip: &list[i], on: on}, pins)
		}
	}
}

func (n *lineNames) add(p *lineProvider, names []string) {
	p.at, p.count = make(map[string][]int), len(names)
	for i, name := range names {
		if name != "" {
			p.at[name] = append(p.at[name], i)
			p.names = append(p.names, name)
		}
	}
	n.providers[p.name] = p
}

// find is the line of that name or number.
func (p *lineProvider) find(name string) (int, error) {
	switch same := p.at[name]; len(same) {
	case 0:
	case 1:
		return same[0], nil
	default:
		return 0, fmt.Errorf("%d lines of %s are named %q: write the number of the line, such as %s.%d", len(same), p.name, name, p.name, same[0])
	}
	if p.model != nil {
		return 0, fmt.Errorf("a %s has no pin %q%s", p.model.Name, name, periph.Suggest(name, p.names))
	}
	i, err := strconv.Atoi(name)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s has no line %q%s", p.name, name, periph.Suggest(name, p.names))
	case i < 0 || i >= p.count:
		return 0, fmt.Errorf("%s has no line %d: its lines are 0 to %d", p.name, i, p.count-1)
	}
	return i, nil
}

// Line finds a line: "gpio0.alarm", "gpio0.3", or without the controller where that is
// on, which is not empty; or the one that a part's pin is on, "expander0.p3".
func (b *Board) Line(text, on string) (Line, error) { return b.line(text, on, 0) }

// maxSoldered is how many pins may be soldered to one another in a row.
const maxSoldered = 32

func (b *Board) line(text, on string, depth int) (Line, error) {
	provider, name, ok := strings.Cut(text, ".")
	if !ok {
		provider, name = on, text
	}
	if provider == "" {
		return Line{}, fmt.Errorf("%q is not a line: write controller.line, such as \"gpio0.3\"", text)
	}
	p := b.names().providers[provider]
	if p == nil {
		return Line{}, fmt.Errorf("the board has no GPIO controller %q%s", provider, periph.Suggest(provider, b.names().controllers))
	}
	i, err := p.find(name)
	if err != nil {
		return Line{}, err
	}
	if p.chip != nil {
		if to, ok := p.chip.Pins[name]; ok {
			if depth == maxSoldered {
				return Line{}, fmt.Errorf("%s.%s is soldered to itself, or there are more than %d pins in a row", provider, name, maxSoldered)
			}
			return b.line(to, p.on, depth+1)
		}
	}
	return Line{provider, i}, nil
}

// PartLine is the GPIO line that the pin of a part is, by its name and its number among
// those of the part; false if it is none, or has a property that tells of it.
func (b *Board) PartLine(ref Line) (name string, number int, ok bool) {
	p := b.names().providers[ref.Provider]
	if p == nil || p.model == nil {
		return "", 0, false
	}
	name = p.model.Pins[ref.Offset].Name
	_, property := p.model.Property(name)
	number = slices.Index(p.model.Lines, name)
	return name, number, number >= 0 && !property
}

// LineNames are the names of a controller's or a part's GPIO lines, or their numbers; those
// of a part not that have a property, which tells of them.
func (b *Board) LineNames(provider string) (names []string) {
	p := b.names().providers[provider]
	switch {
	case p == nil:
	case p.model != nil:
		for _, line := range p.model.Lines {
			if _, property := p.model.Property(line); !property {
				names = append(names, line)
			}
		}
	default:
		names = make([]string, p.count)
		for i := range names {
			names[i] = strconv.Itoa(i)
		}
		for name, at := range p.at {
			for _, i := range at {
				names[i] = name
			}
		}
	}
	return names
}
