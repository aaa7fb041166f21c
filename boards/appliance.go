package boards

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"backplane/periph"
)

// check finds what is wrong between the boards.
func (a *Appliance) check() {
	d := a.doc
	switch {
	case a.Name == "":
		d.Add("name", "the appliance has no name: write name = \"NAME\"")
	case !validName.MatchString(a.Name):
		d.Add("name", "name %q %s", a.Name, nameRule)
	}
	if len(a.Board) == 0 {
		d.Add("", "the appliance has no boards: add [[board]]")
	}
	names := make(map[string]string)
	for i := range a.Board {
		at := fmt.Sprintf("board[%d]", i)
		a.unique(names, at, a.Board[i].Name, "board")
	}
	a.checkSlots(names)
	links := make(map[string]string)
	a.checkLinks(links)
	a.checkCardNames(links)
	a.checkGateways(links)
	a.checkCaptures(links)
	a.checkFiles(0)
	a.checkDisks(0)
}

func (a *Appliance) unique(names map[string]string, at, name, what string) {
	switch first, taken := names[name]; {
	case name == "" && what == "board":
		return // its file was not found, which has been said
	case name == "":
		a.doc.Add(at+".name", "the %s has no name: write name = \"NAME\"", what)
	case !validName.MatchString(name):
		a.doc.Add(at+".name", "name %q %s", name, nameRule)
	case taken:
		a.doc.Add(at+".name", "the name %q is taken, in %s", name, first)
	default:
		names[name] = a.doc.Where(at)
	}
}

// Member is the board of that name, nil if there is none.
func (a *Appliance) Member(name string) *Member {
	m, _ := a.memberIndex(name)
	return m
}

// end resolves "board.rest"; it says what is wrong and returns nil if the board
// does not exist, or was not read.
func (a *Appliance) end(at, text string) (m *Member, rest string) {
	name, rest, ok := strings.Cut(text, ".")
	if !ok || rest == "" {
		a.doc.Add(at, "%q is not a place on a board: write board.part", text)
		return nil, ""
	}
	if m = a.Member(name); m == nil {
		var names []string
		for _, b := range a.Members() {
			if b.Name != "" { // its file could not be read
				names = append(names, b.Name)
			}
		}
		a.doc.Add(at, "there is no board %q%s", name, periph.Suggest(name, names))
		return nil, ""
	}
	if m.Board == nil {
		return nil, ""
	}
	return m, rest
}

// drives names the push-pull output of a chip on that line, "" if there is none.
func (b *Board) drives(ref Line) string {
	for _, p := range b.Parts() {
		for _, name := range slices.Sorted(maps.Keys(p.Pins)) {
			if spec, ok := pin(p.Model, name); ok && spec.Output && !p.openDrain(spec) && p.Soldered[name] == ref && p.Options.Wired[name] {
				return p.Name + "." + name
			}
		}
	}
	return ""
}

// Parts are the board's chips that could be resolved, each after the part that it is on.
func (b *Board) Parts() []*Part {
	if f := b.fitted(); f != nil {
		return f.parts
	}
	var parts []*Part
	add := func(chips []Chip) {
		for i := range chips {
			if p := chips[i].Part; p != nil && p.Model != nil {
				parts = append(parts, p)
			}
		}
	}
	for _, c := range b.byChips {
		add(c.Chip)
	}
	return append(parts, b.placed...)
}
