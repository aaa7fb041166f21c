package boards

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"backplane/simbus/gateway"
)

// checkOwn works out the gateway's own addresses, and what it does for boards of their
// families. False is for none, which has been said.
func (a *Appliance) checkOwn(at string, g *Gateway) bool {
	own := map[bool]*netip.Prefix{true: &g.config.Address, false: &g.config.Address6} // by whether it is IPv4
	advertises := g.Advertise == nil || *g.Advertise
	list := g.Address
	if len(list) == 0 {
		list = Texts{""}
	}
	found := true
	for i, text := range list {
		at := at + ".address"
		if len(list) > 1 {
			at = fmt.Sprintf("%s[%d]", at, i)
		}
		p, err := netip.ParsePrefix(text)
		ip := p.Addr()
		switch {
		case err != nil, p.Bits() > ip.BitLen()-2, ip == p.Masked().Addr(), ip.Is4In6(), ip.IsMulticast(), ip.IsLoopback():
			a.doc.Add(at, "address is %q; it must be an IP address of a host with its prefix length, such as \"10.0.0.254/24\" or \"fd00::fe/64\"", text)
		case ip.Is6() && ip.IsLinkLocalUnicast():
			a.doc.Add(at, "address %s is link-local, and the gateway has one by itself: write a global address, such as \"fd00::fe/64\"", ip)
		case own[ip.Is4()].IsValid():
			a.doc.Add(at, "the gateway already has the address %s: it has at most one of IPv4 and one of IPv6", own[ip.Is4()].Addr())
		case ip.Is6() && advertises && p.Bits() != gateway.SLAACBits:
			a.doc.Add(at, "the network %s must be one of 64 bits (\"%s/64\"), from which boards make their addresses; or write advertise = false", p.Masked(), ip)
		default:
			*own[ip.Is4()] = p
			continue
		}
		found = false
	}
	if !found {
		return false
	}
	for key, p := range map[string]netip.Prefix{"dhcp": g.config.Address, "leases": g.config.Address, "advertise": g.config.Address6} {
		if family := map[bool]string{true: "IPv6", false: "IPv4"}[key == "advertise"]; a.doc.Has(at+"."+key) && !p.IsValid() {
			a.doc.Add(at+"."+key, "%s is for %s, but the gateway has no such address", key, family)
		}
	}
	g.config.DHCP = g.config.Address.IsValid() && (g.DHCP == nil || *g.DHCP)
	g.config.Advertise = g.config.Address6.IsValid() && advertises
	return true
}

// checkNeighbours finds what the gateway has in common with those before it on its segment.
func (a *Appliance) checkNeighbours(at string, i int, seg *Link) {
	g := &a.Gateway[i]
	for j := range a.Gateway[:i] {
		other := &a.Gateway[j]
		if other.Segment != seg.Name || seg.network().HasVLANs() {
			continue
		}
		if bytes.Equal(other.mac, g.mac) {
			a.doc.Add(at+".mac", "the gateway %s has the mac %s", other.Name, g.mac)
		}
		for _, p := range []netip.Prefix{g.config.Address, g.config.Address6} {
			if p.IsValid() && (p.Addr() == other.config.Address.Addr() || p.Addr() == other.config.Address6.Addr()) {
				a.doc.Add(at+".address", "the gateway %s has the address %s", other.Name, p.Addr())
			}
		}
	}
}

// giveAddresses works out which port on the segment has which IPv4 address, where the
// gateway has one itself.
func (a *Appliance) giveAddresses(at string, g *Gateway, seg *Link) {
	network, given := g.config.Address, g.config.Address.IsValid()
	used := map[netip.Addr]bool{network.Addr(): given}
	leases := make(map[string]netip.Addr)
	for _, who := range slices.Sorted(maps.Keys(g.Leases)) {
		at := at + ".leases." + who
		ip, err := netip.ParseAddr(g.Leases[who])
		switch {
		case !slices.ContainsFunc(seg.hosts(), func(e *End) bool { return e.Name == who || e.Board == who }):
			a.doc.Add(at, "segment %s has no port of %q: write board or board.port", seg.Name, who)
		case err != nil || !network.Contains(ip):
			a.doc.Add(at, "%q is not an address on %s", g.Leases[who], network.Masked())
		case used[ip]:
			a.doc.Add(at, "the address %s is taken", ip)
		default:
			leases[who], used[ip] = ip, true
		}
	}
	ends := seg.hosts()
	hosts := make([]gateway.Host, len(ends))
	for pass := range 3 { // those that stand in files come before those that are given
		for i, end := range ends {
			m, e, port, board := a.Members()[end.Member], end.Controller, end.Name, end.Board
			h := &hosts[i]
			h.Name, h.MAC, h.Lease = board, a.Hardware(m, e), e.leased()
			if pass == 0 && bytes.Equal(h.MAC, g.mac) {
				a.doc.Add(at+".mac", "%s has the mac %s, in %s", port, g.mac, m.portPlace(end.Port, "mac"))
			}
			reserved, ok := leases[port]
			if !ok {
				reserved, ok = leases[board]
			}
			switch own := e.ip4(); {
			case pass == 0 && own.IsValid():
				h.Address = own
				if used[own] {
					a.doc.Add(at+".address", "%s has the address %s", port, own)
				}
				used[own] = true
			case !given || !h.Lease:
			case pass == 1 && ok:
				h.Address = reserved
				delete(leases, board) // for its first port
			case pass == 2 && !h.Address.IsValid():
				h.Address = gateway.FreeAddress(network, used)
				if used[h.Address] = true; !h.Address.IsValid() {
					a.doc.Add(at+".address", "the network %s has no address left for %s", network.Masked(), port)
				}
			}
		}
	}
	g.config.Hosts = hosts
}

// giveAddresses6 works out which port on the segment has which IPv6 address: one that
// stands in its file, on the gateway's network if there is such, or else the one that its
// kernel makes of what the gateway advertises.
func (a *Appliance) giveAddresses6(at string, g *Gateway, seg *Link) {
	network := g.config.Address6
	for i, end := range seg.hosts() {
		port := end.Name
		h := &g.config.Hosts[i]
		for _, p := range end.Controller.prefixes() {
			ip := p.Addr()
			if ip == network.Addr() {
				a.doc.Add(at+".address", "%s has the address %s", port, ip)
			}
			if ip.Is6() && !ip.IsLinkLocalUnicast() && (!h.Address6.IsValid() || network.Contains(ip) && !network.Contains(h.Address6)) {
				h.Address6 = ip
			}
		}
		if g.config.Advertise && !network.Contains(h.Address6) {
			h.Address6 = gateway.SLAAC(network, h.MAC)
		}
	}
}

// reach is the address by which the gateway reaches a board: of IPv4 or of IPv6 as is
// wanted, or of the other where there is no such; invalid if there is none.
func (g *Gateway) reach(h gateway.Host, ip4 bool) netip.Addr {
	var list []netip.Addr
	if g.config.Address.Contains(h.Address) {
		list = append(list, h.Address)
	}
	if g.config.Address6.Contains(h.Address6) {
		list = append(list, h.Address6)
	}
	switch {
	case len(list) == 0:
		return netip.Addr{}
	case ip4:
		return list[0]
	}
	return list[len(list)-1]
}
