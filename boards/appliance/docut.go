package appliance

// Cut cuts a segment, a serial link or a wire, by name, or one port off its segment:
// "lan:sensor.eth0".
var Cut = &ActionKind{
	Name:  "cut",
	Title: "Cut a segment, a serial link, a wire, or a port off its segment (lan:sensor.eth0)",
	Place: linkPlace,
	do:    func(r *Running, x *Action) error { return r.cutLink(x.Place, true) },
}

// Restore ends a Cut.
var Restore = &ActionKind{
	Name:  "restore",
	Title: "Mend what was cut",
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
