package appliance

import (
	"maps"
	"slices"

	"backplane/boards"
	"backplane/simbus"
)

// Cut cuts a segment, a serial link or a wire, by name, or one port off its segment:
// "lan:sensor.eth0".
var Cut = &ActionKind{
	Name:  "cut",
	Title: "Cut a segment, a serial link, a wire, or a port off its segment (lan:sensor.eth0)",
	Place: linkPlace,
	do:    func(r *Running, x *Action) error { return r.setCut(x.Place, true, linkCut) },
}

// Restore ends a Cut.
var Restore = &ActionKind{
	Name:  "restore",
	Title: "Mend what was cut",
	Place: linkPlace,
	do:    func(r *Running, x *Action) error { return r.setCut(x.Place, false, linkRestored) },
}

func (r *Running) setCut(name string, cut bool, state string) error {
	l, ok := r.links[name]
	if !ok {
		return boards.Unknown("segment, link or wire", name, slices.Sorted(maps.Keys(r.links)))
	}
	r.cal.Emit(simbus.Event{Part: name, Kind: simbus.KindLink, Attrs: []simbus.Attr{simbus.Text("state", state)}})
	l.setCut(cut)
	return nil
}
