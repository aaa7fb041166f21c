package boards

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"backplane/boards/tomlfile"
	"backplane/simbus/ether"
)

// Segment is one Ethernet segment: a learning switch, or a cable.
type Segment struct {
	Name  string   `toml:"name" jsonschema:"description=What the segment is called"`
	Ports []string `toml:"ports" jsonschema:"description=The ports on it: board.port"`
	Impairment
	Addresses *int          `toml:"addresses,omitempty" jsonschema:"minimum=0,default=4096,description=How many hardware addresses the switch remembers"`
	Ageing    *Duration     `toml:"ageing,omitempty" jsonschema:"default=5m,description=How long the switch remembers an address that it hears no more of; 0s for ever"`
	Snooping  bool          `toml:"snooping,omitempty" jsonschema:"description=Whether the switch sends the frames of a multicast group only to boards that have joined it (IGMP and MLD snooping)"`
	Reserved  bool          `toml:"reserved,omitempty" jsonschema:"description=Whether the switch passes on frames to 01:80:c2:00:00:00 to 0f (LLDP and LACP and spanning trees and 802.1X) which switches keep to themselves"`
	Cable     bool          `toml:"cable,omitempty" jsonschema:"description=A plain cable between two ports instead of a switch: everything passes"`
	Port      []SegmentPort `toml:"port,omitempty" jsonschema:"description=What is particular to single ports"`
}

// Impairment is what happens to frames, on a segment between two ports, or in
// one direction of a port's cable. What is not given stays as it is.
type Impairment struct {
	Latency   *Duration `toml:"latency,omitempty" jsonschema:"description=How long a frame is under way; 20us from port to port in virtual time if left out"`
	Jitter    *Duration `toml:"jitter,omitempty" jsonschema:"description=By how much the latency varies up and down; frames keep their order"`
	Bandwidth *Rate     `toml:"bandwidth,omitempty" jsonschema:"description=Bits a second; 1G in virtual time if left out and unlimited in real time"`
	Burst     *Size     `toml:"burst,omitempty" jsonschema:"description=Bytes that may go at once before the bandwidth holds"`
	Queue     *Size     `toml:"queue,omitempty" jsonschema:"description=Bytes that may wait for the bandwidth; what it carries in 100 ms if left out"`
	Loss      *float64  `toml:"loss,omitempty" jsonschema:"minimum=0,maximum=1,description=Part of the frames that is lost"`
	Duplicate *float64  `toml:"duplicate,omitempty" jsonschema:"minimum=0,maximum=1,description=Part of the frames that arrives twice"`
	Reorder   *float64  `toml:"reorder,omitempty" jsonschema:"minimum=0,maximum=1,description=Part of the frames that the next one overtakes"`
	Corrupt   *float64  `toml:"corrupt,omitempty" jsonschema:"minimum=0,maximum=1,description=Part of the frames that arrives with a bit turned over"`
}

// SegmentPort is what is particular to one port of a segment.
type SegmentPort struct {
	Name string `toml:"name" jsonschema:"description=Which of the segment's ports: board.port"`
	Impairment
	Tx         *Impairment `toml:"tx,omitempty" jsonschema:"description=What happens to frames from the board only"`
	Rx         *Impairment `toml:"rx,omitempty" jsonschema:"description=What happens to frames to the board only"`
	VLAN       *int        `toml:"vlan,omitempty" jsonschema:"minimum=0,maximum=4094,default=1,description=The VLAN of frames without a tag; 0 on a trunk that has none"`
	Trunk      []int       `toml:"trunk,omitempty" jsonschema:"description=The VLANs whose frames have a tag here"`
	Mirror     []string    `toml:"mirror,omitempty" jsonschema:"description=Ports of the segment whose frames this one is sent too"`
	StormLimit int         `toml:"storm_limit,omitempty" jsonschema:"minimum=0,description=Broadcast and multicast frames that the board may send in a second"`
}

// Over lays what is given over i.
func (m *Impairment) Over(i *ether.Impairment) {
	if m == nil {
		return
	}
	Lay(&i.Latency, (*time.Duration)(m.Latency))
	Lay(&i.Jitter, (*time.Duration)(m.Jitter))
	Lay(&i.Bandwidth, (*int64)(m.Bandwidth))
	Lay(&i.Burst, (*int64)(m.Burst))
	Lay(&i.Queue, (*int64)(m.Queue))
	Lay(&i.Loss, m.Loss)
	Lay(&i.Duplicate, m.Duplicate)
	Lay(&i.Reorder, m.Reorder)
	Lay(&i.Corrupt, m.Corrupt)
}

func Lay[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// check finds parts that are none.
func (m *Impairment) check(at string, doc *tomlfile.Doc) {
	if m == nil {
		return
	}
	for _, p := range []struct {
		key  string
		part *float64
	}{{"loss", m.Loss}, {"duplicate", m.Duplicate}, {"reorder", m.Reorder}, {"corrupt", m.Corrupt}} {
		if p.part != nil && !(*p.part >= 0 && *p.part <= 1) {
			doc.Add(at+"."+p.key, "%s is %g, and must be 0 to 1", p.key, *p.part)
		}
	}
	for _, p := range []struct {
		key  string
		time *Duration
	}{{"latency", m.Latency}, {"jitter", m.Jitter}} {
		if p.time != nil && *p.time > maxLatency {
			doc.Add(at+"."+p.key, "%s is %s, and must be at most %s", p.key, time.Duration(*p.time), time.Duration(maxLatency))
		}
	}
}

// maxLatency bounds latency and jitter: more than to Neptune and back.
const maxLatency = Duration(10 * time.Hour)

func (a *Appliance) checkSegments(links map[string]string) {
	used := make(map[string]string)
	for i := range a.Segment {
		s := &a.Segment[i]
		at := fmt.Sprintf("segment[%d]", i)
		a.unique(links, at, s.Name, "segment")
		s.Impairment.check(at, a.doc)
		if s.Addresses != nil && *s.Addresses < 0 {
			a.doc.Add(at+".addresses", "addresses is %d, and must be at least 0", *s.Addresses)
		}
		s.checkCable(at, a)
		addresses := make(map[netip.Addr]string)
		type holder struct{ port, place string }
		macs := make(map[string]holder)
		for j, text := range s.Ports {
			at := fmt.Sprintf("%s.ports[%d]", at, j)
			m, port := a.port(at, text, ethernetPort, used)
			if m == nil {
				continue
			}
			e := m.Board.ethernet(port)
			mac := a.hardware(m, e).String()
			if other, taken := macs[mac]; taken && !s.hasVLANs() {
				a.doc.Add(at, "%s and %s on segment %s both have the mac %s, in %s and %s", other.port, text, s.Name, mac, other.place, a.portPlace(m, port, "mac"))
			}
			macs[mac] = holder{text, a.portPlace(m, port, "mac")}
			for _, p := range e.prefixes() {
				if other, taken := addresses[p.Addr()]; taken && !s.hasVLANs() {
					a.doc.Add(at, "%s and %s on segment %s both have the address %s", other, text, s.Name, p.Addr())
				}
				addresses[p.Addr()] = text
			}
		}
		for j := range s.Port {
			a.checkPort(fmt.Sprintf("%s.port[%d]", at, j), s, j)
		}
	}
}

// checkCable finds what a cable cannot be or do.
func (s *Segment) checkCable(at string, a *Appliance) {
	if !s.Cable {
		return
	}
	ends := len(s.Ports)
	for i := range a.Gateway {
		if a.Gateway[i].Segment == s.Name {
			ends++
		}
	}
	if ends != 2 {
		a.doc.Add(at+".cable", "a cable has two ends, and segment %s has %d ports", s.Name, ends)
	}
	keys := append(slices.Clone(switchSettings), "reserved")
	for j := range s.Port {
		for _, key := range switchPortSettings {
			keys = append(keys, fmt.Sprintf("port[%d].%s", j, key))
		}
	}
	for _, key := range keys {
		if a.doc.Has(at + "." + key) {
			a.doc.Add(at+"."+key, "%v", s.noSwitch(key[strings.LastIndexByte(key, '.')+1:]))
		}
	}
}

// What a switch and its ports have, and cables have not.
var (
	switchSettings     = []string{"addresses", "ageing", "snooping"}
	switchPortSettings = []string{"vlan", "trunk", "mirror", "storm_limit"}
)

func (s *Segment) noSwitch(setting string) error {
	return fmt.Errorf("%s is for a switch, and segment %s is a cable", setting, s.Name)
}

// Speed is how fast a port's cable is, in bits a second. Where nothing holds frames
// up, it is what ports have in virtual time, so that a board sees the same in both.
func (s *Segment) Speed(port string) int64 {
	bits := int64(ether.DefaultBandwidth)
	Lay(&bits, (*int64)(s.Bandwidth))
	for i := range s.Port {
		if s.Port[i].Name == port {
			Lay(&bits, (*int64)(s.Port[i].Bandwidth))
		}
	}
	return bits
}

func (s *Segment) hasVLANs() bool {
	for i := range s.Port {
		if s.Port[i].VLAN != nil || len(s.Port[i].Trunk) > 0 {
			return true
		}
	}
	return false
}

func (a *Appliance) checkPort(at string, s *Segment, j int) {
	p := &s.Port[j]
	a.onSegment(at+".name", s, p.Name)
	for k := range j {
		if s.Port[k].Name == p.Name {
			a.doc.Add(at+".name", "there is a table for %s already", p.Name)
		}
	}
	p.Impairment.check(at, a.doc)
	p.Tx.check(at+".tx", a.doc)
	p.Rx.check(at+".rx", a.doc)
	if p.StormLimit < 0 {
		a.doc.Add(at+".storm_limit", "storm_limit is %d, and must be at least 0", p.StormLimit)
	}
	for k, name := range p.Mirror {
		a.onSegment(fmt.Sprintf("%s.mirror[%d]", at, k), s, name)
		if name == p.Name {
			a.doc.Add(fmt.Sprintf("%s.mirror[%d]", at, k), "%v", ErrMirror)
		}
	}
	if _, err := p.Membership(); err != nil {
		key := ".vlan"
		if len(p.Trunk) > 0 {
			key = ".trunk"
		}
		a.doc.Add(at+key, "%v", err)
	}
}

var ErrMirror = errors.New("a port cannot mirror itself")

// onSegment says it if the segment has no such port.
func (a *Appliance) onSegment(at string, s *Segment, port string) {
	if names := a.portsOf(s); !slices.Contains(names, port) {
		a.doc.Add(at, "segment %s has no port %q%s", s.Name, port, tomlfile.Suggest(port, names))
	}
}

// Membership is which VLANs the port belongs to.
func (p *SegmentPort) Membership() (ether.Membership, error) {
	m := ether.Membership{VLAN: ether.DefaultVLAN}
	if p.VLAN != nil {
		if *p.VLAN < 0 || *p.VLAN > ether.MaxVLAN || *p.VLAN == 0 && len(p.Trunk) == 0 {
			return m, fmt.Errorf("vlan is %d, and must be 1 to %d, or on a trunk 0 for none", *p.VLAN, ether.MaxVLAN)
		}
		m.VLAN = uint16(*p.VLAN)
	}
	for _, v := range p.Trunk {
		if v < 1 || v > ether.MaxVLAN {
			return m, fmt.Errorf("trunk has the VLAN %d, and they are 1 to %d", v, ether.MaxVLAN)
		}
		m.Trunk = append(m.Trunk, uint16(v))
	}
	return m, nil
}

// With is the membership after the port's vlan or trunk was set.
func (p *SegmentPort) With(name, value string) (ether.Membership, error) {
	if name == "trunk" {
		list, err := ParseVLANs(value)
		if err != nil {
			return ether.Membership{}, err
		}
		p.Trunk = list
		return p.Membership()
	}
	vlan, err := strconv.Atoi(value)
	if err != nil {
		return ether.Membership{}, fmt.Errorf("%q is no VLAN: write its number", value)
	}
	p.VLAN = &vlan
	return p.Membership()
}

// CheckSwitch says why a cable has no such setting: it is one of switches.
func (s *Segment) CheckSwitch(setting string) error {
	if s.Cable && (slices.Contains(switchSettings, setting) || slices.Contains(switchPortSettings, setting)) {
		return s.noSwitch(setting)
	}
	return nil
}
