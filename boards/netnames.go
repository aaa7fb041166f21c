package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/periph"
	"backplane/simbus"
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

// portProperties lack the check of mirror, for which one must know the segment.
var portProperties = netProperties{
	{"link", periph.Text, oneOf("a link", upOrDown)},
	// A trunk may have no VLAN for frames without a tag: whether this is one, the run will see.
	{"vlan", periph.Whole, func(v string) error { return second((&SegmentPort{Trunk: []int{1}}).with("vlan", v)) }},
	{"trunk", periph.Text, func(v string) error { return second(new(SegmentPort).with("trunk", v)) }},
	{"mirror", periph.Text, func(string) error { return nil }},
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
func (a *Appliance) netProperty(segment, name string, own netProperties, place string) (*Property, error) {
	what := place + "." + name
	if s := findSetting(name); s != nil {
		return &Property{what: what, kind: s.kind, loose: true, set: func(value string) error { return s.set(new(simbus.Impairment), value) }}, nil
	}
	for _, p := range own {
		if p.name == name {
			if s := a.segment(segment); s.Cable && (slices.Contains(switchSettings, name) || slices.Contains(switchPortSettings, name)) {
				p.check = func(string) error { return s.noSwitch(name) }
			}
			return &Property{what: what, kind: p.kind, loose: p.kind == periph.Text, set: p.check}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", place, unknown("property", name, netNames(own)))
}

// portProperty finds a property of a port of a segment: "sensor.eth0.loss",
// "sensor.eth0.tx.loss", "outside.rx.frames".
func (a *Appliance) portProperty(segment, rest string) (*Property, error) {
	if err := a.CheckSegment(segment); err != nil {
		return nil, err
	}
	ports := a.portsOf(a.segment(segment))
	i := slices.IndexFunc(ports, func(p string) bool { return strings.HasPrefix(rest, p+".") })
	if i < 0 {
		return nil, fmt.Errorf("segment %s: %w", segment, unknown("port", portIn(rest), ports))
	}
	place, name := segment+":"+ports[i], rest[len(ports[i])+1:]
	for _, d := range directions {
		if counted, ok := strings.CutPrefix(name, d.String()+"."); ok {
			return a.netProperty(segment, counted, countProperties(), place+"."+d.String())
		}
	}
	p, err := a.netProperty(segment, name, portProperties, place)
	if err == nil && name == "mirror" {
		p.set = func(value string) error {
			for _, f := range fields(value) {
				if err := a.CheckPort(segment, f); err != nil {
					return err
				}
				if f == ports[i] {
					return errMirror
				}
			}
			return nil
		}
	}
	return p, err
}

// portIn is what was probably meant to be the port in "sensr.eth0.tx.loss".
func portIn(rest string) string {
	names := strings.SplitN(rest, ".", 3)
	return strings.Join(names[:min(2, len(names))], ".")
}

// countProperties are what one direction of a port counts.
func countProperties() (list netProperties) {
	for _, name := range counterNames() {
		list = append(list, netProperties{{name, periph.Whole, nil}}...)
	}
	return list
}
