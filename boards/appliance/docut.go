package appliance

import (
	"fmt"

	"backplane/boards"
)

// Cut cuts a segment, a bus, a serial link or a wire, by name, or one port off its segment or
// bus: "lan:sensor.eth0".
var Cut = &ActionKind{
	Name:  "cut",
	Title: "Cut a segment, a bus, a serial link, a wire, or a port off its segment or bus (lan:sensor.eth0)",
	Place: linkPlace,
	do:    func(r *Running, x *Action) error { return r.cutLink(x.Place, true) },
}

// Restore ends a Cut.
var Restore = &ActionKind{
	Name:  "restore",
	Title: "Reconnect what was cut",
	Place: linkPlace,
	do:    func(r *Running, x *Action) error { return r.cutLink(x.Place, false) },
}

func (r *Running) cutLink(name string, cut bool) error {
	at, err := r.appliance.LinkPlace(name)
	if err != nil {
		return err
	}
	return r.setCut(at, cut)
}

// held is why nothing passes at a place of a link.
type held struct{ cut, unplugged bool }

// hold changes why nothing passes at a place of a link.
func (r *Running) hold(at boards.Place, change func(h *held) error) error {
	r.holding.Lock()
	defer r.holding.Unlock()
	l := r.link(at.Link)
	if l == nil {
		return fmt.Errorf("%s has gone", at)
	}
	h := r.held[at.String()]
	if err := change(&h); err != nil {
		return err
	}
	r.held[at.String()] = h
	r.appliance.SetCable(at, !h.unplugged)
	l.Cut(at.Port, h.cut || h.unplugged)
	return nil
}
