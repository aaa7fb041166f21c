package main

import (
	"fmt"
	"strings"

	"backplane/periph"
	"backplane/simbus"
)

// row describes a pin, an option, a property or a kind of event.
type row struct{ what, name, kind, initial, doc string }

// rows are all of a model.
func rows(m *periph.Model) (list []row) {
	for _, p := range m.Pins {
		kind := "input"
		if p.Output {
			kind = "output"
			if p.OpenDrain {
				kind = "open-drain output"
			}
		}
		if p.Required {
			kind += ", must be connected"
		}
		list = append(list, row{"pin", p.Name, kind, "", p.Doc})
	}
	for i := range m.Options {
		list = append(list, specRow("option", &m.Options[i]))
	}
	for i := range m.Properties {
		list = append(list, specRow("property", &m.Properties[i]))
	}
	return list
}

// controllerRows are the properties and events of a kind.
func controllerRows(k *periph.ControllerKind) (list []row) {
	for i := range k.Properties {
		list = append(list, specRow("property", &k.Properties[i]))
	}
	return append(list, eventRows(k.Events)...)
}

// linkRows are the properties of a kind of segment, and the events of any kind of link.
func linkRows(l *periph.LinkKind) []row { return append(segmentRows(l), eventRows(l.Events)...) }

// segmentRows are the properties of a kind of segment; none if it is none.
func segmentRows(l *periph.LinkKind) (list []row) {
	if l.LinkType == 0 {
		return nil
	}
	c := l.Config().(periph.SegmentConfig)
	for _, place := range []struct{ what, port, way string }{{l.Name, "", ""}, {"port", "BOARD.PORT", ""}, {portWays, "BOARD.PORT", periph.Ways[0]}} {
		specs := c.Specs(place.port, place.way)
		for i := range specs {
			r := specRow(place.what, &specs[i])
			if r.initial != readOnly {
				r.initial = "" // which the appliance's file says
			}
			list = append(list, r)
		}
	}
	return list
}

// eventRows are kinds of events, with their attributes.
func eventRows(kinds []*simbus.Kind) (list []row) {
	for _, k := range kinds {
		list = append(list, row{"event", k.Name, strings.Join(k.Keys(), ", "), "", k.Doc})
	}
	return list
}

// portWays are the two directions of a port.
const portWays = "port's tx and rx"

// readOnly stands for the initial value of what cannot be set.
const readOnly = "read only"

func specRow(what string, s *periph.Spec) row {
	kind := s.Kind.String()
	if s.Unit != "" {
		kind += " in " + s.Unit
	}
	if s.Min != 0 || s.Max != 0 {
		kind += fmt.Sprintf(", %s to %s", s.Format(periph.Num(s.Min)), s.Format(periph.Num(s.Max)))
	}
	if len(s.Enum) > 0 {
		kind = strings.Join(s.Enum, " | ")
	}
	initial := ""
	switch {
	case s.ReadOnly:
		initial = readOnly
	case s.Kind != periph.Action && s.Format(s.Default) != "":
		initial = "default " + s.Format(s.Default)
	}
	return row{what, s.Name, kind, initial, s.Doc}
}
