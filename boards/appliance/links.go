package appliance

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"backplane/boards"
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/capture"
)

// connect makes what runs between the boards.
func (r *Running) connect(a *boards.Appliance) error {
	for i := range a.Gateway {
		if err := r.addGateway(&a.Gateway[i]); err != nil {
			return err
		}
	}
	for _, l := range a.Links {
		if err := r.addLink(l); err != nil {
			return err
		}
	}
	r.fillSlots()
	r.openGateways()
	for i := range a.Capture {
		if err := r.addCapture(a, &a.Capture[i]); err != nil {
			return err
		}
	}
	return nil
}

// addLink makes a link, and joins it to its boards.
func (r *Running) addLink(l *boards.Link) error {
	joints := make([]periph.Joint, len(l.Ends))
	for i := range l.Ends {
		if e := &l.Ends[i]; e.Slot != "" {
			joints[i] = r.slotJoint(l, e)
		} else {
			joints[i] = r.joint(e)
		}
	}
	made, err := l.Config.Build(r.linkEnv(l.Kind.Table, l.Name), joints)
	if err != nil {
		return fmt.Errorf("%s %s: %w", l.Kind.Name, l.Name, err)
	}
	r.links[l] = made
	if err := r.open(l); err != nil {
		return err
	}
	if l.Kind.LinkType == 0 {
		return nil
	}
	return r.recordCapture(l.Name, capture.Config{Epoch: r.epoch}, []boards.Place{{Link: l}})
}

// joint is an end of a link, at a board or at a gateway.
func (r *Running) joint(e *boards.End) periph.Joint {
	if e.Member < 0 {
		g := r.gateway(e.Name)
		return periph.Joint{LinkEnd: e.LinkEnd, Domain: g.domain, Socket: g}
	}
	m := r.machines[e.Member]
	return periph.Joint{LinkEnd: e.LinkEnd, Domain: m.domain, Socket: m.end(e), Fault: func(text string) { m.fault("", text) }}
}

// linkEnv is what a link of that name gets from the appliance.
func (r *Running) linkEnv(table, name string) *periph.LinkEnv {
	sum := sha256.Sum256(fmt.Appendf(nil, "backplane %d %s %s", r.opts.Seed, table, name))
	return &periph.LinkEnv{Name: name, Calendar: r.cal, Seed: binary.LittleEndian.Uint64(sum[:])}
}

// end is the socket that a link is joined to.
func (m *Machine) end(e *boards.End) any {
	if e.Port == "" {
		return m.wire(e.Line)
	}
	return m.socket(e.Port, "")
}

// segment is a segment that runs.
func (r *Running) segment(l *boards.Link) periph.Segment { return r.links[l].(periph.Segment) }

// segments are all segments, in the order of the catalog and the appliance file.
func (r *Running) segments() (list []*boards.Link) {
	for _, l := range r.appliance.Links {
		if l.Kind.LinkType != 0 && r.links[l] != nil {
			list = append(list, l)
		}
	}
	return list
}

// setCut cuts or restores a link, or a port of one.
func (r *Running) setCut(at boards.Place, cut bool) error {
	state := linkRestored
	if cut {
		state = linkCut
	}
	r.cal.Emit(simbus.Event{Part: at.String(), Kind: KindLink, Attrs: []simbus.Attr{simbus.Text("state", state)}})
	return r.hold(at, func(h *held) error {
		h.cut = cut
		return nil
	})
}

// setLink cuts or restores a place of a segment by the state that it is to have.
func (r *Running) setLink(at boards.Place, state string) error {
	if err := periph.CheckLinkState(state); err != nil {
		return err
	}
	return r.setCut(at, state == "down")
}

// getPlace is Get for a property of a segment.
func (r *Running) getPlace(t *boards.Target) string {
	return t.Spec.Format(r.segment(t.Link).At(t.Port, t.Way).Get(t.Name))
}

// setPlace is Set for a property of a segment.
func (r *Running) setPlace(t *boards.Target, text string) error {
	v, err := t.Spec.Parse(text)
	switch {
	case t.Spec.ReadOnly:
		err = errReadOnly
	case err != nil:
	case t.Name == periph.LinkState: // of which there is an event of its own
		return r.setLink(t.Place, text)
	default:
		err = r.segment(t.Link).At(t.Port, t.Way).Set(t.Name, v)
	}
	if err != nil {
		return fmt.Errorf("%s.%s: %w", t.Where(), t.Name, err)
	}
	r.cal.Emit(simbus.Event{Part: t.Where(), Kind: periph.KindProperty, Attrs: []simbus.Attr{simbus.Text("name", t.Name), simbus.Text("value", text)}})
	return nil
}

var errReadOnly = errors.New("is read-only")

// forget lets segments forget what was behind a port of a board, or behind all of them if
// port is empty.
func (m *Machine) forget(port string) {
	for _, l := range m.r.segments() {
		for i := range l.Ends {
			if l.Ends[i].On(m.index) && (port == "" || l.Ends[i].Port == port) {
				m.r.segment(l).Forget(l.Ends[i].Name)
			}
		}
	}
}
