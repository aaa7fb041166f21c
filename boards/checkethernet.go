package boards

import (
	"fmt"
	"net"
	"net/netip"
)

func (c *checker) ethernet() {
	macs := make(map[string]string)
	for i := range c.b.Ethernet {
		e := &c.b.Ethernet[i]
		at := fmt.Sprintf("ethernet[%d]", i)
		c.part(at, e.Name, "Ethernet port")
		if len(e.Name) > 15 {
			c.doc.Add(at+".name", "name %q is too long for an interface, which may have 15 letters", e.Name)
		}
		if e.MAC != "" {
			mac, err := net.ParseMAC(e.MAC)
			switch {
			case err != nil || len(mac) != 6:
				c.doc.Add(at+".mac", "mac is %q, and must be six bytes, such as \"02:00:00:00:00:01\"", e.MAC)
			case mac[0]&1 != 0:
				c.doc.Add(at+".mac", "mac %s is a group address: the first byte must be even", e.MAC)
			case macs[mac.String()] != "":
				c.doc.Add(at+".mac", "the mac %s is taken, in %s", e.MAC, c.doc.Where(macs[mac.String()]))
			default:
				macs[mac.String()] = at + ".mac"
			}
		}
		if e.Address != "" && e.Address != DHCPAddress {
			if _, err := netip.ParsePrefix(e.Address); err != nil {
				c.doc.Add(at+".address", "address is %q, and must be an IP address with its prefix length, such as \"10.0.0.1/24\", or \"dhcp\"", e.Address)
			}
		}
		c.routes(at, e)
	}
}

// routes checks what init tells the kernel of the way out.
func (c *checker) routes(at string, e *Ethernet) {
	p, _ := netip.ParsePrefix(e.Address)
	if e.Gateway != "" {
		a, err := netip.ParseAddr(e.Gateway)
		switch {
		case err != nil || !a.Is4():
			c.doc.Add(at+".gateway", "gateway is %q, and must be an IPv4 address, such as \"10.0.0.254\"", e.Gateway)
		case e.Address == DHCPAddress:
			c.doc.Add(at+".gateway", "an address by DHCP brings its gateway along: leave one of them out")
		case !p.Contains(a):
			c.doc.Add(at+".gateway", "gateway %s is not on the port's network: say address = \"ADDRESS/LENGTH\" so that it is", e.Gateway)
		}
	}
	for i, text := range e.DNS {
		if _, err := netip.ParseAddr(text); err != nil {
			c.doc.Add(fmt.Sprintf("%s.dns[%d]", at, i), "%q is no IP address of a name server", text)
		}
	}
}
