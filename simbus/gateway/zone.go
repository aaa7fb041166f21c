package gateway

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is the names that the gateway knows itself.
type zone struct {
	domain    string // ".name." of the boards' domain, empty if there is none
	networks  []netip.Prefix
	addresses map[string]record // by name, in lower case with a dot at its end
	names     map[string]string // by the name that stands for an address (RFC 1035 section 3.5, RFC 3596 section 2.5)
}

// record is the addresses of a name, of IPv4 and of IPv6. One of them may be missing.
type record struct{ a, aaaa netip.Addr }

func newZone(cfg *Config) *zone {
	z := &zone{networks: cfg.addresses(), addresses: make(map[string]record), names: make(map[string]string)}
	if cfg.Domain != "" {
		z.domain = "." + strings.ToLower(cfg.Domain) + "."
	}
	z.add(cfg.Name, cfg.Address.Addr(), cfg.Address6.Addr())
	for _, h := range cfg.Hosts {
		z.add(h.Name, h.Address, h.Address6)
	}
	return z
}

// add gives a name its addresses, of each family the first: that of the first port
// of a board that has one.
func (z *zone) add(name string, a, aaaa netip.Addr) {
	name = strings.ToLower(name)
	full := name + "."
	r := z.addresses[full]
	if !r.a.IsValid() {
		r.a = a
	}
	if !r.aaaa.IsValid() {
		r.aaaa = aaaa
	}
	if !r.a.IsValid() && !r.aaaa.IsValid() {
		return
	}
	z.addresses[full] = r
	if z.domain != "" {
		full = name + z.domain
		z.addresses[full] = r
	}
	for _, one := range []netip.Addr{r.a, r.aaaa} {
		if one.IsValid() {
			z.names[reverse(one)] = full
		}
	}
}

const nibbles = "0123456789abcdef"

// reverse is the name that stands for an address.
func reverse(a netip.Addr) string {
	if a.Is4() {
		b := a.As4()
		return netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}).String() + ".in-addr.arpa."
	}
	var name strings.Builder
	b := a.As16()
	for i := len(b) - 1; i >= 0; i-- {
		name.WriteString(string([]byte{nibbles[b[i]&15], '.', nibbles[b[i]>>4], '.'}))
	}
	return name.String() + "ip6.arpa."
}

// unreverse is the address that a name stands for.
func unreverse(name string) (a netip.Addr, ok bool) {
	if name, ok := strings.CutSuffix(name, ".ip6.arpa."); ok {
		var b [16]byte
		parts := strings.Split(name, ".")
		if len(parts) != 2*len(b) {
			return a, false
		}
		for i, p := range parts {
			n := strings.Index(nibbles, p)
			if len(p) != 1 || n < 0 {
				return a, false
			}
			b[len(b)-1-i/2] |= byte(n << (4 * (i % 2)))
		}
		return netip.AddrFrom16(b), true
	}
	name, ok = strings.CutSuffix(name, ".in-addr.arpa.")
	parts := strings.Split(name, ".")
	if len(parts) != 4 || !ok {
		return a, false
	}
	a, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
	return a, err == nil
}

// answer is the zone's own answer to a query, nil if the question is for others.
func (z *zone) answer(h dnsmessage.Header, q dnsmessage.Question) (reply []byte, result string) {
	name := strings.ToLower(q.Name.String())
	r, known := z.addresses[name]
	pointer, isPointer := z.names[name]
	if q.Class != dnsmessage.ClassINET || !known && !isPointer && !z.own(name) {
		return nil, ""
	}
	head := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, Authoritative: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true}
	result = "none"
	if !known && !isPointer {
		head.RCode, result = dnsmessage.RCodeNameError, "no such name"
	}
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), head)
	b.EnableCompression()
	rr := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: nameTTL}
	err := errors.Join(b.StartQuestions(), b.Question(q), b.StartAnswers())
	switch {
	case q.Type == dnsmessage.TypeA && r.a.IsValid():
		result = r.a.String()
		err = errors.Join(err, b.AResource(rr, dnsmessage.AResource{A: r.a.As4()}))
	case q.Type == dnsmessage.TypeAAAA && r.aaaa.IsValid():
		result = r.aaaa.String()
		err = errors.Join(err, b.AAAAResource(rr, dnsmessage.AAAAResource{AAAA: r.aaaa.As16()}))
	case isPointer && q.Type == dnsmessage.TypePTR:
		result = strings.TrimSuffix(pointer, ".")
		target, e := dnsmessage.NewName(pointer)
		err = errors.Join(err, e, b.PTRResource(rr, dnsmessage.PTRResource{PTR: target}))
	}
	if err != nil {
		return nil, ""
	}
	reply, err = b.Finish()
	if err != nil {
		return nil, ""
	}
	return reply, result
}

// own tells whether nobody else can know the name: it is in the boards' domain,
// or stands for an address of the segment.
func (z *zone) own(name string) bool {
	if z.domain != "" && strings.HasSuffix(name, z.domain) {
		return true
	}
	a, ok := unreverse(name)
	return ok && slices.ContainsFunc(z.networks, func(n netip.Prefix) bool { return n.Contains(a) })
}
