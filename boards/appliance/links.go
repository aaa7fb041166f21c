package appliance

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strconv"

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
	for _, l := range a.Joined() {
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
		joints[i] = r.jointOf(l, &l.Ends[i])
	}
	made, err := l.Config.Build(r.linkEnv(l.Kind.Table, l.Name), joints)
	if err != nil {
		return fmt.Errorf("%s %s: %w", l.Kind.Name, l.Name, err)
	}
	r.join(func(b *between) { b.links[l.Name] = made })
	if err := r.open(l); err != nil {
		return err
	}
	if l.Kind.LinkType == 0 {
		return nil
	}
	if r.recorded[l.Name]++; r.recorded[l.Name] > 1 { // another one had its name
		return r.recordCapture(l.Name+"."+strconv.Itoa(r.recorded[l.Name]), capture.Config{Epoch: r.epoch}, []boards.Place{{Link: l}})
	}
	return r.recordCapture(l.Name, capture.Config{Epoch: r.epoch}, []boards.Place{{Link: l}})
}

// jointOf is an end of a link.
func (r *Running) jointOf(l *boards.Link, e *boards.End) periph.Joint {
	if e.Slot != "" {
		return r.slotJoint(l, e)
	}
	return r.joint(e)
}

// joint is an end of a link, at a board or at a gateway.
func (r *Running) joint(e *boards.End) periph.Joint {
	if e.Member < 0 {
		g := r.gateway(e.Name)
		return periph.Joint{LinkEnd: e.LinkEnd, Domain: g.domain, Socket: g}
	}
	m := r.machines()[e.Member]
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

// between is what runs between the boards at one time. It is replaced as a whole, since boards
// and clients read it meanwhile.
type between struct {
	links map[string]periph.Link // by name
	turns map[string][]turn      // of links' ends, by slot
}

// join changes what runs between the boards: one caller at a time.
func (r *Running) join(change func(b *between)) {
	was := r.between.Load()
	b := &between{make(map[string]periph.Link), make(map[string][]turn)}
	maps.Copy(b.links, was.links)
	maps.Copy(b.turns, was.turns)
	change(b)
	r.between.Store(b)
}

// link is a link that runs.
func (r *Running) link(l *boards.Link) periph.Link { return r.between.Load().links[l.Name] }

// segment is a segment that runs, nil for one that has gone meanwhile.
func (r *Running) segment(l *boards.Link) periph.Segment {
	s, _ := r.link(l).(periph.Segment)
	return s
}

// segments are all segments, in the order of the catalog and the appliance file.
func (r *Running) segments() (list []*boards.Link) {
	for _, l := range r.appliance.Joined() {
		if l.Kind.LinkType != 0 && r.link(l) != nil {
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
			if seg := m.r.segment(l); seg != nil && l.Ends[i].On(m.index) && (port == "" || l.Ends[i].Port == port) {
				seg.Forget(l.Ends[i].Name)
			}
		}
	}
}
