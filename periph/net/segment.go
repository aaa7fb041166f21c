package net

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backplane/periph"
	"backplane/simbus/ether"
)

// Segment is the Ethernet segment of appliance files.
var Segment = &periph.LinkKind{
	Table:    "segment",
	Name:     "segment",
	Title:    "Ethernet segment: a switch with VLANs, or a plain cable",
	Source:   "IEEE 802.3 and 802.1Q",
	Events:   ether.Events,
	LinkType: 1,
	Slots:    true,
	Joins:    "ethernet",
	Config:   func() periph.LinkConfig { return new(SegmentConfig) },
}

// SegmentConfig is one [[segment]] table of an appliance file: a learning switch, or a cable.
type SegmentConfig struct {
	Ports []string `toml:"ports" jsonschema:"description=Its ports: board.port"`
	Impairment
	Addresses *int             `toml:"addresses,omitempty" jsonschema:"minimum=0,default=4096,description=How many hardware addresses the switch remembers"`
	Ageing    *periph.Duration `toml:"ageing,omitempty" jsonschema:"default=5m,description=How long the switch remembers a silent address; 0s for ever"`
	Snooping  *bool            `toml:"snooping,omitempty" jsonschema:"description=Whether the switch sends the frames of a multicast group only to boards that have joined it (IGMP and MLD snooping)"`
	Reserved  *bool            `toml:"reserved,omitempty" jsonschema:"description=Whether the switch passes on frames to 01:80:c2:00:00:00 to 0f (LLDP and LACP and spanning trees and 802.1X) which switches keep to themselves"`
	Cable     bool             `toml:"cable,omitempty" jsonschema:"description=A plain cable between two ports instead of a switch: everything passes"`
	Port      []PortConfig     `toml:"port,omitempty" jsonschema:"description=Settings of single ports"`

	ports []string // all of them, those of gateways too
}

// PortConfig is what is particular to one port of a segment.
type PortConfig struct {
	Name string `toml:"name" jsonschema:"description=Which of the segment's ports: board.port"`
	Impairment
	Tx         *Impairment `toml:"tx,omitempty" jsonschema:"description=What happens to frames from the board only"`
	Rx         *Impairment `toml:"rx,omitempty" jsonschema:"description=What happens to frames to the board only"`
	VLAN       *int        `toml:"vlan,omitempty" jsonschema:"minimum=0,maximum=4094,default=1,description=The VLAN of frames without a tag; 0 on a trunk that has none"`
	Trunk      []int       `toml:"trunk,omitempty" jsonschema:"description=The VLANs whose frames have a tag here"`
	Mirror     []string    `toml:"mirror,omitempty" jsonschema:"description=Ports of the segment whose frames are copied to this one"`
	StormLimit *int        `toml:"storm_limit,omitempty" jsonschema:"minimum=0,description=Broadcast and multicast frames that the board may send in a second"`
}

// Ends are the boards' ports.
func (c *SegmentConfig) Ends() []periph.LinkEnd { return periph.Ports(c.Ports) }

// Instant is false: frames take their time, in virtual time.
func (c *SegmentConfig) Instant() bool { return false }

// Check reports what is wrong.
func (c *SegmentConfig) Check(report periph.Report, ends []periph.LinkEnd) {
	for _, e := range ends {
		c.ports = append(c.ports, e.Name)
	}
	c.Impairment.check("", report)
	if c.Addresses != nil && *c.Addresses < 0 {
		report("addresses", "addresses is %d; it must be at least 0", *c.Addresses)
	}
	if c.Cable {
		c.checkCable(report, len(ends))
	}
	for i := range c.Port {
		c.checkPort(fmt.Sprintf("port[%d]", i), i, report)
	}
}

// checkCable finds what a cable cannot be or do.
func (c *SegmentConfig) checkCable(report periph.Report, ends int) {
	if ends != 2 {
		report("cable", "a cable has two ends; this one has %d ports", ends)
	}
	c.refuseSwitch(func(at, key string) { report(at+key, "%v", noSwitch(key)) })
}

// refuseSwitch finds what only a switch can be or do.
func (c *SegmentConfig) refuseSwitch(report func(at, key string)) {
	refuse := func(at, key string, given bool) {
		if given {
			report(at, key)
		}
	}
	refuse("", "addresses", c.Addresses != nil)
	refuse("", "ageing", c.Ageing != nil)
	refuse("", "snooping", c.Snooping != nil)
	refuse("", "reserved", c.Reserved != nil)
	for i := range c.Port {
		at, p := fmt.Sprintf("port[%d].", i), &c.Port[i]
		refuse(at, "vlan", p.VLAN != nil)
		refuse(at, "trunk", p.Trunk != nil)
		refuse(at, "mirror", p.Mirror != nil)
		refuse(at, "storm_limit", p.StormLimit != nil)
	}
}

func noSwitch(setting string) error {
	return fmt.Errorf("%s is for a switch; this segment is a cable", setting)
}

func (c *SegmentConfig) checkPort(at string, i int, report periph.Report) {
	p := &c.Port[i]
	c.onSegment(at+".name", p.Name, report)
	for _, before := range c.Port[:i] {
		if before.Name == p.Name {
			report(at+".name", "%s already has a table", p.Name)
		}
	}
	p.Impairment.check(at, report)
	p.Tx.check(at+".tx", report)
	p.Rx.check(at+".rx", report)
	if p.StormLimit != nil && *p.StormLimit < 0 {
		report(at+".storm_limit", "storm_limit is %d; it must be at least 0", *p.StormLimit)
	}
	for k, name := range p.Mirror {
		key := fmt.Sprintf("%s.mirror[%d]", at, k)
		c.onSegment(key, name, report)
		if name == p.Name {
			report(key, "%v", errMirror)
		}
	}
	if _, err := p.membership(); err != nil {
		key := ".vlan"
		if len(p.Trunk) > 0 {
			key = ".trunk"
		}
		report(at+key, "%v", err)
	}
}

var errMirror = errors.New("a port cannot mirror itself")

// onSegment says it if the segment has no such port.
func (c *SegmentConfig) onSegment(at, port string, report periph.Report) {
	if !slices.Contains(c.ports, port) {
		report(at, "the segment has no port %q%s", port, periph.Suggest(port, c.ports))
	}
}

// HasVLANs tells whether the file divides the segment into VLANs.
func (c *SegmentConfig) HasVLANs() bool {
	return slices.ContainsFunc(c.Port, func(p PortConfig) bool { return p.VLAN != nil || len(p.Trunk) > 0 })
}

// port is the table of a port, nil if there is none.
func (c *SegmentConfig) port(name string) *PortConfig {
	if i := slices.IndexFunc(c.Port, func(p PortConfig) bool { return p.Name == name }); i >= 0 {
		return &c.Port[i]
	}
	return nil
}

// Grows are the keys of more ports.
func (c *SegmentConfig) Grows() []string { return []string{"ports", "port"} }

// With is the table with more ports.
func (c *SegmentConfig) With(more periph.LinkConfig) (periph.LinkConfig, error) {
	own, m := *c, more.(*SegmentConfig)
	if c.Cable {
		var mistake error
		m.refuseSwitch(func(_, key string) { mistake = noSwitch(key) })
		if len(m.ports) > 2 {
			mistake = errCable
		}
		if mistake != nil {
			return nil, mistake
		}
	}
	own.Ports, own.Port, own.ports = slices.Concat(c.Ports, m.Ports), slices.Concat(c.Port, m.Port), m.ports
	return &own, nil
}

var errCable = errors.New("a cable has two ends, and takes no third port")

// Without is the table without a port.
func (c *SegmentConfig) Without(port string) periph.GrowingConfig {
	own := *c
	other := func(name string) bool { return name == port }
	own.Ports, own.ports = slices.DeleteFunc(slices.Clone(c.Ports), other), slices.DeleteFunc(slices.Clone(c.ports), other)
	own.Port = slices.DeleteFunc(slices.Clone(c.Port), func(p PortConfig) bool { return p.Name == port })
	return &own
}

// membership is which VLANs the port belongs to.
func (p *PortConfig) membership() (ether.Membership, error) {
	m := ether.Membership{VLAN: ether.DefaultVLAN}
	if p.VLAN != nil {
		if *p.VLAN < 0 || *p.VLAN > ether.MaxVLAN || *p.VLAN == 0 && len(p.Trunk) == 0 {
			return m, fmt.Errorf("vlan is %d; it must be 1 to %d, or on a trunk 0 for none", *p.VLAN, ether.MaxVLAN)
		}
		m.VLAN = uint16(*p.VLAN)
	}
	for _, v := range p.Trunk {
		if v < 1 || v > ether.MaxVLAN {
			return m, fmt.Errorf("trunk has the VLAN %d; VLANs are 1 to %d", v, ether.MaxVLAN)
		}
		m.Trunk = append(m.Trunk, uint16(v))
	}
	return m, nil
}

// parseVLANs reads a list of VLANs: "10,20", or "none".
func parseVLANs(text string) (list []int, err error) {
	for _, f := range parseList(text) {
		v, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%q is not a list of VLANs: write their numbers, such as \"10,20\", or none", text)
		}
		list = append(list, v)
	}
	return list, nil
}

// parseList and formatList read and write a list of words: "a,b", none of them "none".
func parseList(text string) []string {
	if text == "none" || text == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(text, " ", ""), ",")
}

func formatList[T any](list []T) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ",")
}

// lay puts what is given into place.
func lay[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
