package boards

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/invopop/jsonschema"
)

// Texts is one text, or a list of them.
type Texts []string

// UnmarshalTOML reads either.
func (t *Texts) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case string:
		*t = Texts{v}
		return nil
	case []any:
		list := make(Texts, len(v))
		for i, one := range v {
			s, ok := one.(string)
			if !ok {
				return errNoTexts
			}
			list[i] = s
		}
		*t = list
		return nil
	}
	return errNoTexts
}

var errNoTexts = errors.New("must be text in quotes, or a list of such texts")

// JSONSchema describes the type to editors.
func (Texts) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "array", Items: &jsonschema.Schema{Type: "string"}}}}
}

// DHCP tells whether the port gets an address by DHCP.
func (e *Network) DHCP() bool { return slices.Contains(e.Address, DHCPAddress) }

// slaac tells whether init waits for the port to have an address by SLAAC.
func (e *Network) slaac() bool { return slices.Contains(e.Address, SLAACAddress) }

// prefixes are the addresses that stand in the file, as far as they are ones.
func (e *Network) prefixes() (list []netip.Prefix) {
	for _, text := range e.Address {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// ip4 is the first IPv4 address that stands in the file, invalid if there is none.
func (e *Network) ip4() netip.Addr {
	for _, p := range e.prefixes() {
		if p.Addr().Is4() {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// leased tells whether DHCP may give the port its IPv4 address: if the file says so, or
// nothing, since a system of its own may then ask.
func (e *Network) leased() bool { return e.DHCP() || len(e.Address) == 0 }

// addresses checks what addresses a port has.
func (c *checker) addresses(at string, e *Network) {
	at += ".address"
	seen := make(map[string]bool)
	for i, text := range e.Address {
		at := at
		if len(e.Address) > 1 {
			at = fmt.Sprintf("%s[%d]", at, i)
		}
		p, err := netip.ParsePrefix(text)
		if err == nil {
			text = p.Addr().String()
		}
		switch {
		case err != nil && text != DHCPAddress && text != SLAACAddress:
			c.doc.Add(at, "address is %q; it must be an IP address with its prefix length, such as \"10.0.0.1/24\" or \"fd00::1/64\", or \"dhcp\", or \"slaac\"", text)
		case err == nil && (p.Addr().IsMulticast() || p.Addr().IsUnspecified() || p.Addr().Is4In6()):
			c.doc.Add(at, "address %s is not a host address", text)
		case seen[text]:
			c.doc.Add(at, "the port already has the address %s", text)
		}
		seen[text] = true
	}
	if e.DHCP() && e.ip4().IsValid() {
		c.doc.Add(at, "the port has an IPv4 address, %s, and DHCP would give it another: leave one of them out", e.ip4())
	}
}

// routes checks what init tells the kernel of the way out.
func (c *checker) routes(at string, e *Network) {
	var families [2]bool // IPv4, IPv6
	for i, text := range e.Gateway {
		at := at + ".gateway"
		if len(e.Gateway) > 1 {
			at = fmt.Sprintf("%s[%d]", at, i)
		}
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			c.doc.Add(at, "gateway is %q; it must be an IP address, such as \"10.0.0.254\" or \"fd00::fe\"", text)
			continue
		}
		on := a.Is6() && a.IsLinkLocalUnicast() // every port has such an address
		for _, p := range e.prefixes() {
			on = on || p.Contains(a)
		}
		family, name := 0, "IPv4"
		if a.Is6() {
			family, name = 1, "IPv6"
		}
		switch {
		case families[family]:
			c.doc.Add(at, "there is an %s gateway already: a port has at most one of each", name)
		case a.Is4() && e.DHCP():
			c.doc.Add(at, "DHCP gives the gateway with the address: leave one of them out")
		case a.Is6() && e.slaac():
			c.doc.Add(at, "with SLAAC the router that advertises itself is the gateway: leave one of them out")
		case !on:
			c.doc.Add(at, "gateway %s is not on the port's network: write address = \"ADDRESS/LENGTH\" to put it there", text)
		}
		families[family] = true
	}
	for i, text := range e.DNS {
		if _, err := netip.ParseAddr(text); err != nil {
			c.doc.Add(fmt.Sprintf("%s.dns[%d]", at, i), "%q is not an IP address of a name server", text)
		}
	}
}
