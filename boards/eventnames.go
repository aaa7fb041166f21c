package boards

import (
	"slices"

	"backplane/periph"
	"backplane/simbus"
)

// EventNames are all that an attribute of events can be that names such things; nil if
// that is nothing that could be listed.
func (a *Appliance) EventNames(of simbus.Names) []string {
	switch of {
	case simbus.NamesLine:
		return a.lineNames()
	case simbus.NamesPort:
		names := []string{}
		for _, l := range a.Joined() {
			names = append(names, l.portNames()...)
		}
		return names
	case simbus.NamesProperty:
		return a.propertyNames()
	}
	return nil
}

// lineNames are the names of all GPIO lines, or their numbers.
func (a *Appliance) lineNames() (names []string) {
	for _, m := range a.Members() {
		b := m.Board
		for _, c := range b.names().controllers {
			names = append(names, b.LineNames(c)...)
		}
		for _, p := range b.Parts() {
			names = append(names, b.LineNames(p.Name)...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// propertyNames are the names of all properties of boards, parts, controllers and links.
func (a *Appliance) propertyNames() (names []string) {
	add := func(specs []periph.Spec) {
		names = append(names, named(specs, func(s *periph.Spec) string { return s.Name })...)
	}
	for _, m := range a.Members() {
		add(m.Board.Properties())
		for _, p := range m.Board.Parts() {
			add(p.Model.Properties)
		}
		for _, c := range m.Board.Controllers() {
			add(c.Kind.Properties)
		}
	}
	for _, l := range a.Joined() {
		add(l.Specs("", ""))
		for _, port := range l.portNames() {
			add(l.Specs(port, ""))
			for _, way := range periph.Ways {
				add(l.Specs(port, way))
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
