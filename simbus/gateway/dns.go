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

// serveDNS answers queries that come in UDP packets.
func (g *Gateway) serveDNS(c net.PacketConn) {
	defer g.track(c)()
	buf := make([]byte, maxQuery)
	for {
		n, client, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		from := client.(*net.UDPAddr).AddrPort()
		g.query("udp", append([]byte(nil), buf[:n]...), from, func(reply []byte) {
			_, _ = c.WriteTo(reply, client) // who has gone needs no answer
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
		if !g.query("tcp", q, from, func(reply []byte) { answered <- writeDNS(c, reply) }) || <-answered != nil {
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
	c, err := d.DialContext(g.ctx, network, resolver.String())
	if err != nil {
		return nil, err
	}
	defer g.track(c)()
	if err := c.SetDeadline(time.Now().Add(queryTimeout)); err != nil {
		return nil, err
	}
	if network == "tcp" {
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
