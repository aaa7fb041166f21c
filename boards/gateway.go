package boards

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"backplane/firmware/config"
	"backplane/periph"
	"backplane/simbus/gateway"
)

// Gateway joins a segment to the world outside.
type Gateway struct {
	Name       string            `toml:"name" jsonschema:"description=Name of the gateway; boards find it by that name"`
	Segment    string            `toml:"segment" jsonschema:"description=The gateway's segment"`
	Address    Texts             `toml:"address,omitempty" jsonschema:"description=Its IP address on the segment with prefix length; a list for one of IPv4 and one of IPv6; boards reach the outside through it"`
	MAC        string            `toml:"mac,omitempty" jsonschema:"description=Hardware address; derived from the gateway's position if left out"`
	DHCP       *bool             `toml:"dhcp,omitempty" jsonschema:"default=true,description=Give the boards their IPv4 addresses"`
	Advertise  *bool             `toml:"advertise,omitempty" jsonschema:"default=true,description=Send router advertisements from which boards make their IPv6 addresses (SLAAC)"`
	Leases     map[string]string `toml:"leases,omitempty" jsonschema:"description=Addresses for DHCP to give: board (or board.port) = address; other boards get the lowest free ones in the order of the segment's ports"`
	Allow      []string          `toml:"allow,omitempty" jsonschema:"description=All that boards may reach outside: networks or addresses or either with a port such as 10.1.0.0/16:443 or [2001:db8::1]:443; everything if left out"`
	HostAccess bool              `toml:"host_access,omitempty" jsonschema:"description=Boards reach the host's own services: the gateway's addresses are the host's 127.0.0.1 and ::1"`
	Forward    []Forward         `toml:"forward,omitempty" jsonschema:"description=Ports of the host that lead to boards"`
	Resolver   []string          `toml:"resolver,omitempty" jsonschema:"description=Name servers for names that the gateway does not know: address or address:port; the host's own if left out"`
	Tap        string            `toml:"tap,omitempty" jsonschema:"description=A tap interface of the host instead of Backplane's own gateway"`
	Bridge     string            `toml:"bridge,omitempty" jsonschema:"description=An existing bridge of the host; a tap interface is made for it"`

	mac    net.HardwareAddr
	config gateway.Config
}

// Forward is a port of the host that leads to a board.
type Forward struct {
	Host     string `toml:"host" jsonschema:"description=Where the host listens: address:port; on 127.0.0.1 if there is only a port"`
	To       string `toml:"to" jsonschema:"description=board:port or board.ethernet:port"`
	Protocol string `toml:"protocol,omitempty" jsonschema:"enum=tcp,enum=udp,default=tcp"`
}

// What a port's address is called if it comes from DHCP, or is made of what a router
// advertises.
const (
	DHCPAddress  = config.DHCP
	SLAACAddress = config.SLAAC
)

// checkGateways finds what is wrong with the gateways, and works out who gets
// which address.
func (a *Appliance) checkGateways(links map[string]string) {
	for i := range a.Gateway {
		g := &a.Gateway[i]
		at := fmt.Sprintf("gateway[%d]", i)
		a.unique(links, at, g.Name, "gateway")
		g.mac = net.HardwareAddr{0x02, 0x42, 0x50, 0xff, byte(i >> 8), byte(i)}
		if g.MAC != "" {
			mac, err := net.ParseMAC(g.MAC)
			if err != nil || len(mac) != 6 || mac[0]&1 != 0 || [6]byte(mac) == [6]byte{} {
				a.doc.Add(at+".mac", "mac is %q; it must be six bytes, the first of them even and not all zero, such as \"02:00:00:00:00:fe\"", g.MAC)
			} else {
				g.mac = mac
			}
		}
		seg := a.network(g.Segment)
		switch {
		case g.Segment == "":
			a.doc.Add(at, "a gateway without a segment: write segment = \"NAME\"")
		case seg == nil:
			var names []string
			for _, l := range a.Joined() {
				if l.network() != nil {
					names = append(names, l.Name)
				}
			}
			a.doc.Add(at+".segment", "there is no segment %q%s", g.Segment, periph.Suggest(g.Segment, names))
		}
		if g.Tap != "" || g.Bridge != "" {
			a.checkTap(at, g)
			continue
		}
		g.config = gateway.Config{Name: g.Name, Domain: a.Name, MAC: g.mac, HostAccess: g.HostAccess}
		if a.checkOwn(at, g) && seg != nil {
			a.checkNeighbours(at, i, seg)
			a.giveAddresses(at, g, seg)
			a.giveAddresses6(at, g, seg)
			a.checkForwards(at, g, seg)
			a.checkRules(at, g)
		}
	}
}

// checkTap finds keys that mean nothing where the host's kernel is the gateway.
func (a *Appliance) checkTap(at string, g *Gateway) {
	for _, key := range []string{"address", "dhcp", "leases", "advertise", "allow", "host_access", "forward", "resolver", "mac"} {
		if a.doc.Has(at + "." + key) {
			a.doc.Add(at+"."+key, "%s is for Backplane's own gateway: with a tap or bridge, the host does this", key)
		}
	}
	for key, name := range map[string]string{"tap": g.Tap, "bridge": g.Bridge} {
		if len(name) > 15 || strings.ContainsAny(name, "/ \t\x00") {
			a.doc.Add(at+"."+key, "%q is not a name of a network interface: it has at most 15 letters", name)
		}
	}
}

func (a *Appliance) memberIndex(name string) (*Member, int) {
	for i, m := range a.Members() {
		if m.Name == name {
			return m, i
		}
	}
	return nil, 0
}

func (a *Appliance) checkForwards(at string, g *Gateway, seg *Link) {
	taken := make(map[string]string)
	for i, f := range g.Forward {
		at := fmt.Sprintf("%s.forward[%d]", at, i)
		protocol := f.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		if protocol != "tcp" && protocol != "udp" {
			a.doc.Add(at+".protocol", "protocol is %q; it must be tcp or udp", f.Protocol)
		}
		text := f.Host
		if !strings.Contains(text, ":") {
			text = ":" + text
		}
		if strings.HasPrefix(text, ":") {
			text = "127.0.0.1" + text
		}
		host, err := netip.ParseAddrPort(text)
		if err != nil {
			a.doc.Add(at+".host", "host is %q; it must be an address and a port, such as \"127.0.0.1:8080\"", f.Host)
			continue
		}
		if first, ok := taken[protocol+text]; ok && host.Port() != 0 {
			a.doc.Add(at+".host", "%s/%s is taken, in %s", text, protocol, a.doc.Where(first))
		}
		taken[protocol+text] = at + ".host"
		who, port, _ := strings.Cut(f.To, ":")
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			a.doc.Add(at+".to", "to is %q; it must be board:port, such as \"controller:80\"", f.To)
			continue
		}
		board, name, _ := strings.Cut(who, ".")
		var to netip.Addr
		found := false
		for j, h := range g.config.Hosts {
			if h.Name == board && (name == "" || seg.hosts()[j].Port == name) && !to.IsValid() {
				to, found = g.reach(h, host.Addr().Is4()), true
			}
		}
		switch {
		case !found:
			a.doc.Add(at+".to", "segment %s has no port of a board %q", g.Segment, who)
			continue
		case !to.IsValid():
			a.doc.Add(at+".to", "%s has no address on the gateway's network", who)
			continue
		}
		g.config.Forwards = append(g.config.Forwards, gateway.Forward{Protocol: protocol, Host: host, To: netip.AddrPortFrom(to, uint16(number))})
	}
}

func (a *Appliance) checkRules(at string, g *Gateway) {
	if a.doc.Has(at + ".allow") {
		g.config.Allow = []gateway.Rule{}
	}
	for i, text := range g.Allow {
		r, err := gateway.ParseRule(text)
		if err != nil {
			a.doc.Add(fmt.Sprintf("%s.allow[%d]", at, i), "%v", err)
		}
		g.config.Allow = append(g.config.Allow, r)
	}
	for i, text := range g.Resolver {
		r, err := netip.ParseAddrPort(text)
		if ip, e := netip.ParseAddr(text); e == nil {
			r, err = netip.AddrPortFrom(ip, 53), nil
		}
		if err != nil {
			a.doc.Add(fmt.Sprintf("%s.resolver[%d]", at, i), "%q is not an address of a name server, such as \"10.1.0.1\" or \"127.0.0.1:5353\"", text)
		}
		g.config.Resolvers = append(g.config.Resolvers, r)
	}
}

// Config is what the gateway is made with, as its table says.
func (g *Gateway) Config() gateway.Config { return g.config }
