package boards

import (
	"fmt"

	"backplane/periph"
	"backplane/simbus/ether"
)

// netProperties are the properties of a place on a network that are no settings
// ([settings]), as names.go wants them; check is nil for what can only be read.
type netProperties []struct {
	name  string
	kind  periph.Kind
	check func(value string) error
}

var segmentProperties = netProperties{
	{"link", periph.Text, CheckLinkState},
	{"addresses", periph.Whole, func(v string) error { return second(ParseCount(v, "addresses")) }},
	{"ageing", periph.Text, func(v string) error { return new(Duration).UnmarshalText([]byte(v)) }},
	{"snooping", periph.Switch, func(v string) error { return second(ParseSwitch(v)) }},
	{"known", periph.Whole, nil},
}

// portProperties lack the check of mirror, for which netProperty knows the segment.
var portProperties = netProperties{
	{"link", periph.Text, CheckLinkState},
	// A trunk may have no VLAN for frames without a tag: whether this is one, the run will see.
	{"vlan", periph.Whole, func(v string) error { return second((&SegmentPort{Trunk: []int{1}}).With("vlan", v)) }},
	{"trunk", periph.Text, func(v string) error { return second(new(SegmentPort).With("trunk", v)) }},
	{"mirror", periph.Text, nil},
	{"storm_limit", periph.Whole, func(v string) error { return second(ParseCount(v, "frames a second")) }},
	{"storms", periph.Whole, nil},
}

func second[T any](_ T, err error) error { return err }

// netNames are the names of all properties, settings too.
func netNames(own netProperties) []string {
	names := SettingNames()
	for _, p := range own {
		names = append(names, p.name)
	}
	return names
}

// netProperty finds a property of a place on a network.
func (a *Appliance) netProperty(t *Target) (*Property, error) {
	own := segmentProperties
	switch {
	case t.Way != "":
		own = countProperties()
	case t.Port != "":
		own = portProperties
	}
	what := t.Place() + "." + t.Name
	if s := FindSetting(t.Name); s != nil {
		return &Property{what: what, kind: s.Kind, loose: true, set: func(value string) error { return s.Set(new(ether.Impairment), value) }}, nil
	}
	for _, p := range own {
		switch {
		case p.name != t.Name:
			continue
		case t.Segment.CheckSwitch(p.name) != nil:
			p.check = func(string) error { return t.Segment.CheckSwitch(p.name) }
		case p.name == "mirror":
			p.check = func(value string) error { return a.checkMirror(t, ParseList(value)) }
		}
		return &Property{what: what, kind: p.kind, loose: p.kind == periph.Text, set: p.check}, nil
	}
	return nil, fmt.Errorf("%s: %w", t.Place(), Unknown("property", t.Name, netNames(own)))
}

// checkMirror says what is wrong with the ports that a port is to have the frames of.
func (a *Appliance) checkMirror(t *Target, ports []string) error {
	for _, p := range ports {
		if err := a.CheckPort(t.Segment.Name, p); err != nil {
			return err
		}
		if p == t.Port {
			return ErrMirror
		}
	}
	return nil
}

// countProperties are what one direction of a port counts.
func countProperties() (list netProperties) {
	for _, name := range ether.CounterNames() {
		list = append(list, netProperties{{name, periph.Whole, nil}}...)
	}
	return list
}

// SegmentProperties are the names of the properties of a segment, and PortProperties
// those of a port of one.
func SegmentProperties() []string { return netNames(segmentProperties) }

func PortProperties() []string { return netNames(portProperties) }
