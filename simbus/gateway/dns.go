package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"backplane/simbus"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	dnsPort = 53
	// nameTTL is how long a board may remember the address of another, in seconds.
	nameTTL = 60
	// maxQuery is the longest message that is taken, in bytes.
	maxQuery = 4096
)

// zone is the names that the gateway knows itself.
type zone struct {
	domain    string // ".name." of the boards' domain, empty if there is none
	network   netip.Prefix
	addresses map[string]netip.Addr // by name, in lower case with a dot at its end
	names     map[string]string     // by the name that stands for an address (RFC 1035 section 3.5)
}

func newZone(cfg *Config) *zone {
	z := &zone{network: cfg.Address.Masked(), addresses: make(map[string]netip.Addr), names: make(map[string]string)}
	if cfg.Domain != "" {
		z.domain = "." + strings.ToLower(cfg.Domain) + "."
	}
	z.add(cfg.Name, cfg.Address.Addr())
	for _, h := range cfg.Hosts {
		z.add(h.Name, h.Address)
	}
	return z
}

func (z *zone) add(name string, a netip.Addr) {
	if !a.Is4() {
		return
	}
	name = strings.ToLower(name)
	full := name + "."
	if _, ok := z.addresses[full]; ok {
		return // the first port of a board has its name
	}
	z.addresses[full] = a
	if z.domain != "" {
		full = name + z.domain
		z.addresses[full] = a
	}
	z.names[reverse(a)] = full
}

// reverse is the name that stands for an address.
func reverse(a netip.Addr) string {
	b := a.As4()
	return netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}).String() + ".in-addr.arpa."
}

// answer is the zone's own answer to a query, nil if the question is for others.
func (z *zone) answer(h dnsmessage.Header, q dnsmessage.Question) (reply []byte, result string) {
	name := strings.ToLower(q.Name.String())
	a, known := z.addresses[name]
	pointer, isPointer := z.names[name]
	if q.Class != dnsmessage.ClassINET || !known && !isPointer && !z.own(name) {
		return nil, ""
	}
	r := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, Authoritative: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true}
	result = "none"
	if !known && !isPointer {
		r.RCode, result = dnsmessage.RCodeNameError, "no such name"
	}
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), r)
	b.EnableCompression()
	rr := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: nameTTL}
	err := errors.Join(b.StartQuestions(), b.Question(q), b.StartAnswers())
	switch {
	case known && q.Type == dnsmessage.TypeA:
		result = a.String()
		err = errors.Join(err, b.AResource(rr, dnsmessage.AResource{A: a.As4()}))
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
	parts := strings.Split(strings.TrimSuffix(name, ".in-addr.arpa."), ".")
	if len(parts) != 4 || !strings.HasSuffix(name, ".in-addr.arpa.") {
		return false
	}
	a, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
	return err == nil && z.network.Contains(a)
}

// serveDNS answers queries that come in UDP packets.
func (g *Gateway) serveDNS() {
	defer g.track(g.dns)()
	buf := make([]byte, maxQuery)
	for {
		n, client, err := g.dns.ReadFrom(buf)
		if err != nil {
			return
		}
		from := client.(*net.UDPAddr).AddrPort()
		g.query("udp4", append([]byte(nil), buf[:n]...), from, func(reply []byte) {
			_, _ = g.dns.WriteTo(reply, client) // who has gone needs no answer
		})
	}
}

// serveDNSStream answers queries on a TCP connection, one after another.
func (g *Gateway) serveDNSStream(c net.Conn, from netip.AddrPort) {
	for {
		if err := c.SetDeadline(time.Now().Add(flowTimeout)); err != nil {
			return
		}
		q, err := readDNS(c)
		if err != nil {
			return
		}
		answered := make(chan error, 1)
		if !g.query("tcp4", q, from, func(reply []byte) { answered <- writeDNS(c, reply) }) || <-answered != nil {
			return
		}
	}
}

func readDNS(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeDNS(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
	return err
}

// query answers one query by calling reply, once, at once or later; false if it
// is none that could be answered.
func (g *Gateway) query(network string, message []byte, from netip.AddrPort, reply func([]byte)) bool {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.Response {
		return false
	}
	q, err := p.Question()
	if err != nil {
		return false
	}
	tell := func(result string) {
		g.tell(ActionDNS, simbus.Text("from", from.String()), simbus.Text("name", strings.TrimSuffix(q.Name.String(), ".")),
			simbus.Text("type", strings.TrimPrefix(q.Type.String(), "Type")), simbus.Text("result", result))
	}
	if own, result := g.zone.answer(h, q); own != nil {
		tell(result)
		reply(own)
		return true
	}
	select {
	case g.queries <- struct{}{}:
	default:
		reply(failure(h, q))
		return true
	}
	started := g.spawn(func() {
		defer func() { <-g.queries }()
		answer, err := g.ask(network, message)
		if err != nil {
			tell(why(err))
			reply(failure(h, q))
			return
		}
		tell("forwarded")
		reply(answer)
	})
	if !started {
		<-g.queries
	}
	return started
}

func failure(h dnsmessage.Header, q dnsmessage.Question) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired,
		RecursionAvailable: true, RCode: dnsmessage.RCodeServerFailure}, Questions: []dnsmessage.Question{q}}
	b, _ := m.Pack() // a question that was parsed can be packed
	return b
}

var errNoResolver = errors.New("the host has no resolver")

// ask asks the resolvers in their order. They are the gateway's own business:
// what boards may reach does not matter to them.
func (g *Gateway) ask(network string, message []byte) (answer []byte, err error) {
	err = errNoResolver
	for _, r := range g.cfg.Resolvers {
		if answer, err = g.askOne(network, r, message); err == nil {
			return answer, nil
		}
	}
	return nil, err
}

func (g *Gateway) askOne(network string, resolver netip.AddrPort, message []byte) ([]byte, error) {
	var d net.Dialer
	d.Timeout = queryTimeout
	c, err := d.DialContext(g.ctx, network[:3], resolver.String())
	if err != nil {
		return nil, err
	}
	defer g.track(c)()
	if err := c.SetDeadline(time.Now().Add(queryTimeout)); err != nil {
		return nil, err
	}
	if network == "tcp4" {
		if err := writeDNS(c, message); err != nil {
			return nil, err
		}
		return readDNS(c)
	}
	if _, err := c.Write(message); err != nil {
		return nil, err
	}
	buf := make([]byte, maxDatagram)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if n > 2 && buf[0] == message[0] && buf[1] == message[1] {
			return buf[:n], nil
		}
	}
}

// hostResolvers are the name servers of the host's resolv.conf(5).
func hostResolvers() []netip.AddrPort {
	b, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	return parseResolvers(string(b))
}

func parseResolvers(conf string) (list []netip.AddrPort) {
	for _, line := range strings.Split(conf, "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			list = append(list, netip.AddrPortFrom(a, dnsPort))
		}
	}
	return list
}
