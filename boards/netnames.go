package boards

import (
	"fmt"
	"slices"

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
	{"link", periph.Text, oneOf("a link", upOrDown)},
	{"addresses", periph.Whole, func(v string) error { return second(parseCount(v, "addresses")) }},
	{"ageing", periph.Text, func(v string) error { return new(Duration).UnmarshalText([]byte(v)) }},
	{"snooping", periph.Switch, func(v string) error { return second(parseSwitch(v)) }},
	{"known", periph.Whole, nil},
}

// portProperties lack the check of mirror, for which netProperty knows the segment.
var portProperties = netProperties{
	{"link", periph.Text, oneOf("a link", upOrDown)},
	// A trunk may have no VLAN for frames without a tag: whether this is one, the run will see.
	{"vlan", periph.Whole, func(v string) error { return second((&SegmentPort{Trunk: []int{1}}).with("vlan", v)) }},
	{"trunk", periph.Text, func(v string) error { return second(new(SegmentPort).with("trunk", v)) }},
	{"mirror", periph.Text, nil},
	{"storm_limit", periph.Whole, func(v string) error { return second(parseCount(v, "frames a second")) }},
	{"storms", periph.Whole, nil},
}

func second[T any](_ T, err error) error { return err }

// netNames are the names of all properties, settings too.
func netNames(own netProperties) []string {
	names := settingNames()
	for _, p := range own {
		names = append(names, p.name)
	}
	return names
}

// netProperty finds a property of a place on a network.
func (a *Appliance) netProperty(t *target) (*Property, error) {
	own := segmentProperties
	switch {
	case t.way != "":
		own = countProperties()
	case t.port != "":
		own = portProperties
	}
	what := t.place() + "." + t.name
	if s := findSetting(t.name); s != nil {
		return &Property{what: what, kind: s.kind, loose: true, set: func(value string) error { return s.set(new(ether.Impairment), value) }}, nil
	}
	for _, p := range own {
		switch {
		case p.name != t.name:
			continue
		case t.segment.Cable && (slices.Contains(switchSettings, p.name) || slices.Contains(switchPortSettings, p.name)):
			p.check = func(string) error { return t.segment.noSwitch(p.name) }
		case p.name == "mirror":
			p.check = func(value string) error { return a.checkMirror(t, fields(value)) }
		}
		return &Property{what: what, kind: p.kind, loose: p.kind == periph.Text, set: p.check}, nil
	}
	return nil, fmt.Errorf("%s: %w", t.place(), unknown("property", t.name, netNames(own)))
}

// checkMirror says what is wrong with the ports that a port is to have the frames of.
func (a *Appliance) checkMirror(t *target, ports []string) error {
	for _, p := range ports {
		if err := a.CheckPort(t.segment.Name, p); err != nil {
			return err
		}
		if p == t.port {
			return errMirror
		}
	}
	return nil
}

// countProperties are what one direction of a port counts.
func countProperties() (list netProperties) {
	for _, name := range counterNames() {
		list = append(list, netProperties{{name, periph.Whole, nil}}...)
	}
	return list
}
