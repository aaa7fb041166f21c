package boards

import (
	"fmt"
	"net"
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
		c.mac(at, e)
		if mac, err := net.ParseMAC(e.MAC); err == nil {
			if first, taken := macs[mac.String()]; taken {
				c.doc.Add(at+".mac", "the mac %s is taken, in %s", e.MAC, c.doc.Where(first))
			} else {
				macs[mac.String()] = at + ".mac"
			}
		}
		c.addresses(at, e)
		c.routes(at, e)
	}
}

func (c *checker) mac(at string, e *Ethernet) {
	if e.MAC == "" {
		return
	}
	mac, err := net.ParseMAC(e.MAC)
	switch {
	case err != nil || len(mac) != 6:
		c.doc.Add(at+".mac", "mac is %q, and must be six bytes, such as \"02:00:00:00:00:01\"", e.MAC)
	case [6]byte(mac) == [6]byte{}:
		c.doc.Add(at+".mac", "mac is all zeros, which is no address")
	case mac[0]&1 != 0:
		c.doc.Add(at+".mac", "mac %s is a group address: the first byte must be even", e.MAC)
	}
}
