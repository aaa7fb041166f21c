package net

import (
	"fmt"
	"math"
	"slices"
	"time"

	"backplane/periph"
	"backplane/simbus/ether"
)

// Specs are the properties of the segment, of its ports, and of their two directions.
func (c *SegmentConfig) Specs(port, way string) []periph.Spec {
	list := settingSpecs()
	switch {
	case way != "":
		for _, name := range ether.CounterNames() {
			list = append(list, periph.Spec{Name: name, Kind: periph.Whole, ReadOnly: true})
		}
		return list
	case port != "":
		for i := range list {
			list[i].Loose = true // the directions may differ
		}
		return append(list, periph.LinkSpec(),
			c.ofSwitch(periph.Spec{Name: "vlan", Kind: periph.Whole, Max: ether.MaxVLAN, Doc: "The VLAN of frames without a tag"}),
			c.ofSwitch(periph.Spec{Name: "trunk", Kind: periph.Text, Loose: true, Valid: validTrunk, Doc: "The VLANs whose frames have a tag here"}),
			c.ofSwitch(periph.Spec{Name: "mirror", Kind: periph.Text, Loose: true, Valid: c.validMirror(port), Doc: "The ports whose frames are copied to this one"}),
			c.ofSwitch(periph.Spec{Name: "storm_limit", Kind: periph.Whole, Max: math.MaxInt32, Doc: "Broadcast and multicast frames that the board may send in a second; 0: any number"}),
			periph.Spec{Name: "storms", Kind: periph.Whole, ReadOnly: true, Doc: "Seconds in which storm_limit was exceeded"})
	}
	return append(list, periph.LinkSpec(),
		c.ofSwitch(periph.Spec{Name: "addresses", Kind: periph.Whole, Max: math.MaxInt32, Doc: "How many hardware addresses the switch remembers"}),
		c.ofSwitch(periph.Spec{Name: "ageing", Kind: periph.Text, Loose: true, Valid: validTime, Doc: "How long the switch remembers an address; 0s: for ever"}),
		c.ofSwitch(periph.Spec{Name: "snooping", Kind: periph.Switch, Doc: "Whether multicast goes only to members of the group"}),
		periph.Spec{Name: "known", Kind: periph.Whole, ReadOnly: true, Doc: "How many hardware addresses the switch knows"})
}

// ofSwitch is the spec of what a switch has, and a cable has not.
func (c *SegmentConfig) ofSwitch(s periph.Spec) periph.Spec {
	if c.Cable {
		s.Valid = func(periph.Value) error { return noSwitch(s.Name) }
	}
	return s
}

func validTime(v periph.Value) error { return new(periph.Duration).UnmarshalText([]byte(v.Text())) }

func validTrunk(v periph.Value) error {
	list, err := parseVLANs(v.Text())
	if err == nil {
		_, err = (&PortConfig{Trunk: list}).membership()
	}
	return err
}

// validMirror says what is wrong with the ports that a port is to have the frames of.
func (c *SegmentConfig) validMirror(port string) func(periph.Value) error {
	return func(v periph.Value) error {
		for _, name := range parseList(v.Text()) {
			if !slices.Contains(c.ports, name) {
				return fmt.Errorf("the segment has no port %q%s", name, periph.Suggest(name, c.ports))
			}
			if name == port {
				return errMirror
			}
		}
		return nil
	}
}

// At are the properties of a place on the segment.
func (s *segment) At(port, way string) periph.Properties {
	p := s.port(port)
	switch {
	case port == "":
		return s
	case way == "":
		return p
	}
	return lane{p.Port, ether.Direction(slices.Index(periph.Ways, way))}
}

// Get reads a property of the segment.
func (s *segment) Get(name string) periph.Value {
	limit, ageing, known := s.Table()
	switch name {
	case periph.LinkState:
		return periph.Str(periph.FormatLinkState(!s.Down()))
	case "addresses":
		return periph.Num(float64(limit))
	case "ageing":
		return periph.Str(ageing.String())
	case "snooping":
		return periph.On(s.Snooping())
	case "known":
		return periph.Num(float64(known))
	}
	return findSetting(name).get(s.Impairment())
}

// Set changes it.
func (s *segment) Set(name string, v periph.Value) error {
	limit, ageing, _ := s.Table()
	switch name {
	case "addresses":
		s.SetTable(v.Int(), ageing)
		return nil
	case "ageing":
		d, err := time.ParseDuration(v.Text())
		if err == nil {
			s.SetTable(limit, d)
		}
		return err
	case "snooping":
		s.SetSnooping(v.Bool())
		return nil
	}
	i := s.Impairment()
	if err := findSetting(name).set(&i, v); err != nil {
		return err
	}
	s.SetImpairment(i)
	return nil
}

// Get reads a property of a port.
func (p *plug) Get(name string) periph.Value {
	m := p.Membership()
	switch name {
	case periph.LinkState:
		return periph.Str(periph.FormatLinkState(p.Up()))
	case "vlan":
		return periph.Num(float64(m.VLAN))
	case "trunk":
		return periph.Str(formatList(m.Trunk))
	case "mirror":
		var names []string
		for _, of := range p.Mirror() {
			names = append(names, of.Name())
		}
		return periph.Str(formatList(names))
	case "storm_limit":
		return periph.Num(float64(p.StormLimit()))
	case "storms":
		return periph.Num(float64(p.Storms()))
	}
	s := findSetting(name)
	tx, rx := s.get(p.Impairment(ether.Tx)), s.get(p.Impairment(ether.Rx))
	if tx != rx {
		return periph.Str("tx " + s.Format(tx) + ", rx " + s.Format(rx))
	}
	return tx
}

// Set changes it.
func (p *plug) Set(name string, v periph.Value) error {
	switch name {
	case "vlan", "trunk":
		return p.setMembership(name, v)
	case "mirror":
		p.SetMirror(p.seg.portsOf(parseList(v.Text())))
		return nil
	case "storm_limit":
		p.SetStormLimit(int64(v.Int()))
		return nil
	}
	for _, d := range ether.Directions {
		if err := (lane{p.Port, d}).Set(name, v); err != nil {
			return err
		}
	}
	return nil
}

// setMembership changes what a port's table in the appliance file would say.
func (p *plug) setMembership(name string, v periph.Value) (err error) {
	now := p.Membership()
	vlan := int(now.VLAN)
	c := PortConfig{VLAN: &vlan}
	for _, v := range now.Trunk {
		c.Trunk = append(c.Trunk, int(v))
	}
	if name == "vlan" {
		vlan = v.Int()
	} else if c.Trunk, err = parseVLANs(v.Text()); err != nil {
		return err
	}
	m, err := c.membership()
	if err == nil {
		p.SetMembership(m)
	}
	return err
}

// lane is one direction of a port.
type lane struct {
	port *ether.Port
	way  ether.Direction
}

// Get reads a setting or a counter.
func (l lane) Get(name string) periph.Value {
	if s := findSetting(name); s != nil {
		return s.get(l.port.Impairment(l.way))
	}
	n, _ := l.port.Counters(l.way).Get(name)
	return periph.Num(float64(n))
}

// Set changes a setting.
func (l lane) Set(name string, v periph.Value) error {
	i := l.port.Impairment(l.way)
	if err := findSetting(name).set(&i, v); err != nil {
		return err
	}
	l.port.SetImpairment(l.way, i)
	return nil
}
