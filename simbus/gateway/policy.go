package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Rule lets boards reach a part of the outside.
type Rule struct {
	Prefix netip.Prefix
	Port   uint16 // 0 for all, and for pings
}

// ParseRule reads "10.1.0.0/16", "10.1.2.3:443", "10.1.0.0/16:443" or "0.0.0.0/0:53",
// and of IPv6 "2001:db8::/32", "[2001:db8::1]:443", "[2001:db8::/32]:443" or "[::/0]:53".
func ParseRule(s string) (r Rule, err error) {
	text, port, hasPort := s, "", false
	if inner, ok := strings.CutPrefix(s, "["); ok {
		var rest string
		if text, rest, ok = strings.Cut(inner, "]"); !ok {
			return r, fmt.Errorf("%q has no ] after the address", s)
		}
		if port, hasPort = strings.CutPrefix(rest, ":"); !hasPort && rest != "" {
			return r, fmt.Errorf("%q has %q after the address, where only a colon and a port may follow", s, rest)
		}
	} else if strings.Count(s, ":") == 1 {
		text, port, hasPort = strings.Cut(s, ":")
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return r, fmt.Errorf("%q has no port from 1 to 65535 after the colon", s)
		}
		r.Port = uint16(n)
	}
	a, err := netip.ParseAddr(text)
	if r.Prefix = netip.PrefixFrom(a, a.BitLen()); err != nil {
		r.Prefix, err = netip.ParsePrefix(text)
	}
	if err != nil || r.Prefix.Addr().Is4In6() || a.Zone() != "" {
		return r, fmt.Errorf("%q is not an IP address or network, such as \"10.1.2.3:443\", \"10.1.0.0/16\" or \"[2001:db8::1]:443\"", s)
	}
	r.Prefix = r.Prefix.Masked()
	return r, nil
}

var (
	errNotAllowed = errors.New("not allowed")
	errHost       = errors.New("the host's own services are not open to boards (host_access)")
	errNoHost     = errors.New("not a host address")
)

// outside tells what on the host's side an address of the segment's side means,
// or why boards may not reach it.
func (g *Gateway) outside(to netip.AddrPort) (netip.AddrPort, error) {
	a := to.Addr()
	if g.cfg.own(a) {
		if !g.cfg.HostAccess {
			return to, errHost
		}
		return netip.AddrPortFrom(loopback(a), to.Port()), nil
	}
	switch {
	case reserved(a):
		return to, errNoHost
	case a.IsLoopback():
		return to, errHost // the gateway's own address is the way there
	case g.cfg.Address.Contains(a), g.cfg.Address6.Contains(a):
		return to, errNoHost // it is on the segment, and nobody there answers to it
	}
	if g.cfg.Allow != nil && !allowed(g.cfg.Allow, to) {
		return to, errNotAllowed
	}
	if !g.cfg.HostAccess && isHost(a) {
		return to, errHost
	}
	return to, nil
}

// loopback is the host's in an address's family.
func loopback(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// compatible is where addresses of IPv6 are that stand for ones of IPv4, as those
// that net/netip calls 4in6 do (RFC 4291 section 2.5.5).
var compatible = netip.MustParsePrefix("::/96")

// reserved tells whether no router passes on what is for an address: groups, those of one
// link alone (RFC 3927 section 2.7, RFC 4291 section 2.5.6), and those that are no host's.
func reserved(a netip.Addr) bool {
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return true
	case a.Is4():
		return a.As4()[0] >= 240 || a.As4()[0] == 0
	}
	return a.Is4In6() || compatible.Contains(a) && !a.IsLoopback()
}

func allowed(rules []Rule, to netip.AddrPort) bool {
	for _, r := range rules {
		if r.Prefix.Contains(to.Addr()) && (r.Port == 0 || r.Port == to.Port()) {
			return true
		}
	}
	return false
}

// isHost tells whether an address is one of the host's own, where services
// listen that count on the host's walls.
func isHost(a netip.Addr) bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, one := range list {
		if n, ok := one.(*net.IPNet); ok {
			own, ok := netip.AddrFromSlice(n.IP)
			if own = own.Unmap(); ok && own == a {
				return true
			}
			// To the lowest address of a network its routers answer (RFC 4291 section 2.6.1).
			bits, _ := n.Mask.Size()
			if p, err := own.Prefix(bits); err == nil && a.Is6() && p.Addr() == a {
				return true
			}
		}
	}
	return false
}
