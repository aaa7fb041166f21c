package boards

import (
	"net"

	"backplane/boards/tomlfile"
	"backplane/periph"
	ethernet "backplane/periph/net"
)

// maxInterface is how long the name of a network interface may be (IFNAMSIZ less one).
const maxInterface = 15

// interfaces checks what init is to do with network interfaces.
func (c *checker) interfaces() {
	macs := make(map[string]string)
	for _, x := range c.b.Controllers() {
		if !x.Kind.Interface {
			continue
		}
		if x.doc != c.doc { // it was there before, and is good
			if mac := givenMAC(x); mac != "" {
				macs[mac] = placeIn(x.doc, x.at+".mac")
			}
			continue
		}
		if len(x.Name) > maxInterface {
			c.doc.Add(x.at+".name", "name %q is too long for an interface: at most %d letters", x.Name, maxInterface)
		}
		if mac := givenMAC(x); mac != "" {
			if first, taken := macs[mac]; taken {
				c.doc.Add(x.at+".mac", "the mac %s is taken, in %s", mac, first)
			} else {
				macs[mac] = c.doc.Where(x.at + ".mac")
			}
		}
		c.addresses(x.at, &x.Network)
		c.routes(x.at, &x.Network)
	}
}

// givenMAC is the hardware address that the table of an Ethernet port says; empty if there is none.
func givenMAC(x *Controller) string {
	if e, ok := x.Config.(*ethernet.Config); ok {
		if mac, err := net.ParseMAC(e.MAC); err == nil {
			return mac.String()
		}
	}
	return ""
}

// report takes what is wrong with keys of the table that stands there.
func (c *checker) report(at string) periph.Report {
	return func(key, format string, args ...any) { c.doc.Add(tomlfile.Join(at, key), format, args...) }
}

// ethernet is the table of an Ethernet port, nil if there is none of that name.
func (b *Board) ethernet(name string) (*Controller, *ethernet.Config) {
	if c := b.controller(name); c != nil {
		if e, ok := c.Config.(*ethernet.Config); ok {
			return c, e
		}
	}
	return nil, nil
}

// Hardware is a port's hardware address.
func (a *Appliance) Hardware(m *Member, c *Controller) net.HardwareAddr {
	_, board := a.memberIndex(m.Name)
	return c.Config.(*ethernet.Config).Hardware(board, c.Index)
}
