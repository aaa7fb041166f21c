package appliance

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"backplane/boards"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// netPlace is what has properties on a network: a segment ("lan.loss"), a port
// ("lan:sensor.eth0.loss"), or one direction of a port ("lan:sensor.eth0.tx.loss").
type netPlace interface {
	// get and set are false for a name that is none of its own.
	get(name string) (value string, ok bool)
	set(r *Running, name, value string) (ok bool, err error)
	names() []string
}

var errReadOnly = errors.New("can only be read")

// at is the place on a network that a path leads to.
func (r *Running) at(t *boards.Target) netPlace {
	n := r.net(t.Segment.Name)
	if t.Port == "" {
		return n
	}
	p := n.ports[t.Port]
	for _, d := range ether.Directions {
		if d.String() == t.Way {
			return lane{p.port, d}
		}
	}
	return p
}

// getNetwork is Get for a network's property.
func (r *Running) getNetwork(t *boards.Target) (string, error) {
	place := r.at(t)
	value, ok := place.get(t.Name)
	if !ok {
		return "", fmt.Errorf("%s: %w", t.Place(), boards.Unknown("property", t.Name, place.names()))
	}
	return value, nil
}

// setNetwork is Set for a network's property.
func (r *Running) setNetwork(t *boards.Target, value string) error {
	place, part := r.at(t), t.Place()
	ok, err := place.set(r, t.Name, value)
	switch {
	case !ok:
		return fmt.Errorf("%s: %w", part, boards.Unknown("property", t.Name, place.names()))
	case err != nil:
		return fmt.Errorf("%s.%s: %w", part, t.Name, err)
	}
	if t.Name != "link" { // of which there is an event already
		r.cal.Emit(simbus.Event{Part: part, Kind: simbus.KindProperty, Attrs: []simbus.Attr{simbus.Text("name", t.Name), simbus.Text("value", value)}})
	}
	return nil
}

func linkState(up bool) string { return map[bool]string{true: "up", false: "down"}[up] }

// setLink cuts or restores a link, by name.
func (r *Running) setLink(link, state string) error {
	switch state {
	case "up":
		return r.setCut(link, false, linkRestored)
	case "down":
		return r.setCut(link, true, linkCut)
	}
	return fmt.Errorf("%q is no state of a link: say up or down", state)
}

func (n *network) names() []string { return boards.SegmentProperties() }

func (n *network) get(name string) (string, bool) {
	limit, ageing, known := n.seg.Table()
	switch name {
	case "link":
		return linkState(!n.seg.Down()), true
	case "addresses":
		return strconv.Itoa(limit), true
	case "ageing":
		return ageing.String(), true
	case "snooping":
		return strconv.FormatBool(n.seg.Snooping()), true
	case "known":
		return strconv.Itoa(known), true
	}
	if s := boards.FindSetting(name); s != nil {
		return s.Get(n.seg.Impairment()), true
	}
	return "", false
}

func (n *network) set(r *Running, name, value string) (bool, error) {
	if err := n.segment.CheckSwitch(name); err != nil {
		return true, err
	}
	limit, ageing, _ := n.seg.Table()
	switch name {
	case "link":
		return true, r.setLink(n.seg.Name(), value)
	case "addresses":
		v, err := boards.ParseCount(value, "addresses")
		if err != nil {
			return true, err
		}
		n.seg.SetTable(v, ageing)
		return true, nil
	case "ageing":
		var d boards.Duration
		if err := d.UnmarshalText([]byte(value)); err != nil {
			return true, err
		}
		n.seg.SetTable(limit, time.Duration(d))
		return true, nil
	case "snooping":
		on, err := boards.ParseSwitch(value)
		if err != nil {
			return true, err
		}
		n.seg.SetSnooping(on)
		return true, nil
	case "known":
		return true, errReadOnly
	}
	s := boards.FindSetting(name)
	if s == nil {
		return false, nil
	}
	i := n.seg.Impairment()
	if err := s.Set(&i, value); err != nil {
		return true, err
	}
	n.seg.SetImpairment(i)
	return true, nil
}

// lane is one direction of a port.
type lane struct {
	port *ether.Port
	way  ether.Direction
}

func (l lane) names() []string { return append(boards.SettingNames(), ether.CounterNames()...) }

func (l lane) get(name string) (string, bool) {
	if s := boards.FindSetting(name); s != nil {
		return s.Get(l.port.Impairment(l.way)), true
	}
	if v, ok := l.port.Counters(l.way).Get(name); ok {
		return strconv.FormatUint(v, 10), true
	}
	return "", false
}

func (l lane) set(_ *Running, name, value string) (bool, error) {
	s := boards.FindSetting(name)
	if s == nil {
		_, ok := l.get(name)
		return ok, errReadOnly
	}
	i := l.port.Impairment(l.way)
	if err := s.Set(&i, value); err != nil {
		return true, err
	}
	l.port.SetImpairment(l.way, i)
	return true, nil
}

func (l *portLink) names() []string {
	return append(boards.PortProperties(), "tx.NAME", "rx.NAME")
}

func (l *portLink) get(name string) (string, bool) {
	m := l.port.Membership()
	switch name {
	case "link":
		return linkState(l.port.Up()), true
	case "vlan":
		return strconv.Itoa(int(m.VLAN)), true
	case "trunk":
		return boards.FormatVLANs(m.Trunk), true
	case "mirror":
		var names []string
		for _, p := range l.port.Mirror() {
			names = append(names, p.Name())
		}
		return boards.FormatList(names), true
	case "storm_limit":
		return strconv.FormatInt(l.port.StormLimit(), 10), true
	case "storms":
		return strconv.FormatUint(l.port.Storms(), 10), true
	}
	s := boards.FindSetting(name)
	if s == nil {
		return "", false
	}
	tx, rx := s.Get(l.port.Impairment(ether.Tx)), s.Get(l.port.Impairment(ether.Rx))
	if tx != rx {
		return "tx " + tx + ", rx " + rx, true
	}
	return tx, true
}

func (l *portLink) set(r *Running, name, value string) (bool, error) {
	if err := l.net.segment.CheckSwitch(name); err != nil {
		return true, err
	}
	switch name {
	case "link":
		return true, r.setLink(l.net.seg.Name()+":"+l.port.Name(), value)
	case "vlan", "trunk":
		return true, l.setMembership(name, value)
	case "mirror":
		return true, l.setMirror(value)
	case "storm_limit":
		v, err := boards.ParseCount(value, "frames a second")
		if err != nil {
			return true, err
		}
		l.port.SetStormLimit(int64(v))
		return true, nil
	case "storms":
		return true, errReadOnly
	}
	for _, d := range ether.Directions {
		if ok, err := (lane{l.port, d}).set(r, name, value); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

// setMembership changes what a port's table in the appliance file would say.
func (l *portLink) setMembership(name, value string) error {
	now := l.port.Membership()
	vlan := int(now.VLAN)
	p := boards.SegmentPort{VLAN: &vlan}
	for _, v := range now.Trunk {
		p.Trunk = append(p.Trunk, int(v))
	}
	m, err := p.With(name, value)
	if err != nil {
		return err
	}
	l.port.SetMembership(m)
	return nil
}

func (l *portLink) setMirror(value string) error {
	var of []*ether.Port
	for _, name := range boards.ParseList(value) {
		p := l.net.ports[name]
		if p == nil {
			var names []string
			for _, p := range l.net.list {
				names = append(names, p.port.Name())
			}
			return boards.Unknown("port", name, names)
		}
		if p == l {
			return boards.ErrMirror
		}
		of = append(of, p.port)
	}
	l.port.SetMirror(of)
	return nil
}
