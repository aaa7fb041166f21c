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

// ParseRule reads "10.1.0.0/16", "10.1.2.3:443", "10.1.0.0/16:443" or "0.0.0.0/0:53".
func ParseRule(s string) (r Rule, err error) {
	text, port, hasPort := strings.Cut(s, ":")
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return r, fmt.Errorf("%q has no port of 1 to 65535 behind the colon", s)
		}
		r.Port = uint16(n)
	}
	if !strings.Contains(text, "/") {
		text += "/32"
	}
	if r.Prefix, err = netip.ParsePrefix(text); err != nil || !r.Prefix.Addr().Is4() {
		return r, fmt.Errorf("%q is no IPv4 address or network, such as \"10.1.2.3:443\" or \"10.1.0.0/16\"", s)
	}
	r.Prefix = r.Prefix.Masked()
	return r, nil
}

var (
	errNotAllowed = errors.New("not allowed")
	errHost       = errors.New("the host's own services are not open to boards (host_access)")
	errNoHost     = errors.New("no address of a host")
)

// outside tells what on the host's side an address of the segment's side means,
// or why boards may not reach it.
func (g *Gateway) outside(to netip.AddrPort) (netip.AddrPort, error) {
	a := to.Addr()
	if a == g.cfg.Address.Addr() {
		if !g.cfg.HostAccess {
			return to, errHost
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port()), nil
	}
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a.As4()[0] >= 240, a.As4()[0] == 0:
		return to, errNoHost
	case a.IsLoopback():
		return to, errHost // the gateway's own address is the way there
	case g.cfg.Address.Contains(a):
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
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == a {
				return true
			}
		}
	}
	return false
}
