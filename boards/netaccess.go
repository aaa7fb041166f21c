package boards

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

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
func (r *Running) at(t *target) netPlace {
	n := r.net(t.segment.Name)
	if t.port == "" {
		return n
	}
	p := n.ports[t.port]
	for _, d := range directions {
		if d.String() == t.way {
			return lane{p.port, d}
		}
	}
	return p
}

var directions = []ether.Direction{ether.Tx, ether.Rx}

// getNetwork is Get for a network's property.
func (r *Running) getNetwork(t *target) (string, error) {
	place := r.at(t)
	value, ok := place.get(t.name)
	if !ok {
		return "", fmt.Errorf("%s: %w", t.place(), unknown("property", t.name, place.names()))
	}
	return value, nil
}

// setNetwork is Set for a network's property.
func (r *Running) setNetwork(t *target, value string) error {
	place, part := r.at(t), t.place()
	ok, err := place.set(r, t.name, value)
	switch {
	case !ok:
		return fmt.Errorf("%s: %w", part, unknown("property", t.name, place.names()))
	case err != nil:
		return fmt.Errorf("%s.%s: %w", part, t.name, err)
	}
	if t.name != "link" { // of which there is an event already
		r.cal.Emit(simbus.Event{Part: part, Kind: simbus.KindProperty, Attrs: []simbus.Attr{simbus.Text("name", t.name), simbus.Text("value", value)}})
	}
	return nil
}

func linkState(up bool) string { return map[bool]string{true: "up", false: "down"}[up] }

// setLink cuts or restores a link, by name.
func (r *Running) setLink(link, state string) error {
	switch state {
	case "up":
		return r.setCut(link, false, "restored")
	case "down":
		return r.setCut(link, true, "cut")
	}
	return fmt.Errorf("%q is no state of a link: say up or down", state)
}

func (n *network) names() []string { return netNames(segmentProperties) }

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
	if s := findSetting(name); s != nil {
		return s.get(n.seg.Impairment()), true
	}
	return "", false
}

func (n *network) set(r *Running, name, value string) (bool, error) {
	if n.segment.Cable && slices.Contains(switchSettings, name) {
		return true, n.segment.noSwitch(name)
	}
	limit, ageing, _ := n.seg.Table()
	switch name {
	case "link":
		return true, r.setLink(n.seg.Name(), value)
	case "addresses":
		v, err := parseCount(value, "addresses")
		if err != nil {
			return true, err
		}
		n.seg.SetTable(v, ageing)
		return true, nil
	case "ageing":
		var d Duration
		if err := d.UnmarshalText([]byte(value)); err != nil {
			return true, err
		}
		n.seg.SetTable(limit, time.Duration(d))
		return true, nil
	case "snooping":
		on, err := parseSwitch(value)
		if err != nil {
			return true, err
		}
		n.seg.SetSnooping(on)
		return true, nil
	case "known":
		return true, errReadOnly
	}
	s := findSetting(name)
	if s == nil {
		return false, nil
	}
	i := n.seg.Impairment()
	if err := s.set(&i, value); err != nil {
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

func (l lane) names() []string { return append(settingNames(), counterNames()...) }

func (l lane) get(name string) (string, bool) {
	if s := findSetting(name); s != nil {
		return s.get(l.port.Impairment(l.way)), true
	}
	if v, ok := counter(l.port.Counters(l.way), name); ok {
		return strconv.FormatUint(v, 10), true
	}
	return "", false
}

func (l lane) set(_ *Running, name, value string) (bool, error) {
	s := findSetting(name)
	if s == nil {
		_, ok := l.get(name)
		return ok, errReadOnly
	}
	i := l.port.Impairment(l.way)
	if err := s.set(&i, value); err != nil {
		return true, err
	}
	l.port.SetImpairment(l.way, i)
	return true, nil
}

func (l *portLink) names() []string {
	return append(netNames(portProperties), "tx.NAME", "rx.NAME")
}

func (l *portLink) get(name string) (string, bool) {
	m := l.port.Membership()
	switch name {
	case "link":
		return linkState(l.port.Up()), true
	case "vlan":
		return strconv.Itoa(int(m.VLAN)), true
	case "trunk":
		return formatVLANs(m.Trunk), true
	case "mirror":
		var names []string
		for _, p := range l.port.Mirror() {
			names = append(names, p.Name())
		}
		return orNone(names), true
	case "storm_limit":
		return strconv.FormatInt(l.port.StormLimit(), 10), true
	case "storms":
		return strconv.FormatUint(l.port.Storms(), 10), true
	}
	s := findSetting(name)
	if s == nil {
		return "", false
	}
	tx, rx := s.get(l.port.Impairment(ether.Tx)), s.get(l.port.Impairment(ether.Rx))
	if tx != rx {
		return "tx " + tx + ", rx " + rx, true
	}
	return tx, true
}

func (l *portLink) set(r *Running, name, value string) (bool, error) {
	if l.net.segment.Cable && slices.Contains(switchPortSettings, name) {
		return true, l.net.segment.noSwitch(name)
	}
	switch name {
	case "link":
		return true, r.setLink(l.net.seg.Name()+":"+l.port.Name(), value)
	case "vlan", "trunk":
		return true, l.setMembership(name, value)
	case "mirror":
		return true, l.setMirror(value)
	case "storm_limit":
		v, err := parseCount(value, "frames a second")
		if err != nil {
			return true, err
		}
		l.port.SetStormLimit(int64(v))
		return true, nil
	case "storms":
		return true, errReadOnly
	}
	for _, d := range directions {
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
	p := SegmentPort{VLAN: &vlan}
	for _, v := range now.Trunk {
		p.Trunk = append(p.Trunk, int(v))
	}
	m, err := p.with(name, value)
	if err != nil {
		return err
	}
	l.port.SetMembership(m)
	return nil
}

// with is the membership after the port's vlan or trunk was set.
func (p *SegmentPort) with(name, value string) (ether.Membership, error) {
	if name == "trunk" {
		list, err := parseVLANs(value)
		if err != nil {
			return ether.Membership{}, err
		}
		p.Trunk = list
		return p.membership()
	}
	vlan, err := strconv.Atoi(value)
	if err != nil {
		return ether.Membership{}, fmt.Errorf("%q is no VLAN: write its number", value)
	}
	p.VLAN = &vlan
	return p.membership()
}

func (l *portLink) setMirror(value string) error {
	var of []*ether.Port
	for _, name := range fields(value) {
		p := l.net.ports[name]
		if p == nil {
			var names []string
			for _, p := range l.net.list {
				names = append(names, p.port.Name())
			}
			return unknown("port", name, names)
		}
		if p == l {
			return errMirror
		}
		of = append(of, p.port)
	}
	l.port.SetMirror(of)
	return nil
}
