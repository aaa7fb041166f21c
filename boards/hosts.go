package boards

import (
	"net/netip"

	ethernet "backplane/periph/net"
)

// segment finds a segment of any kind by its name, nil if there is none.
func (a *Appliance) segment(name string) *Link {
	for _, l := range a.Joined() {
		if l.Name == name && l.Kind.LinkType != 0 {
			return l
		}
	}
	return nil
}

// network is a segment of Ethernet, nil if there is none of that name.
func (a *Appliance) network(name string) *Link {
	if l := a.segment(name); l != nil && l.network() != nil {
		return l
	}
	return nil
}

// network is the link's table if it is a segment of Ethernet.
func (l *Link) network() *ethernet.SegmentConfig {
	c, _ := l.Config.(*ethernet.SegmentConfig)
	return c
}

// hosts are the ends that are boards' ports, and were found.
func (l *Link) hosts() (list []*End) {
	for i := range l.Ends {
		if l.Ends[i].Board != "" {
			list = append(list, &l.Ends[i])
		}
	}
	return list
}

// checkHosts finds boards with the same addresses on one segment of Ethernet.
func (a *Appliance) checkHosts(l *Link) {
	type holder struct{ port, place string }
	macs, addresses := make(map[string]holder), make(map[netip.Addr]string)
	for _, end := range l.hosts() {
		m, e, at := a.Members()[end.Member], end.Controller, l.at+"."+end.Key
		mac, place := a.Hardware(m, e).String(), m.portPlace(end.Port, "mac")
		if other, taken := macs[mac]; taken {
			a.doc.Add(at, "%s and %s on segment %s both have the mac %s, in %s and %s", other.port, end.Name, l.Name, mac, other.place, place)
		}
		macs[mac] = holder{end.Name, place}
		for _, p := range e.prefixes() {
			if other, taken := addresses[p.Addr()]; taken {
				a.doc.Add(at, "%s and %s on segment %s both have the address %s", other, end.Name, l.Name, p.Addr())
			}
			addresses[p.Addr()] = end.Name
		}
	}
}
