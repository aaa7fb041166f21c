// Package filter decides which frames a capture keeps. Its expressions are a
// part of those of tcpdump (pcap-filter(7)), with the same meaning:
//
//	arp, ip, ip6, tcp, udp, icmp, icmp6, broadcast, multicast
//	[ip|ip6|arp|tcp|udp] [src|dst] host ADDRESS
//	[src|dst] net PREFIX            (10.0.0.0/8)
//	[tcp|udp] [src|dst] port NUMBER
//	ether [src|dst|host] ADDRESS    (02:00:00:00:00:01)
//	vlan [ID], less LENGTH, greater LENGTH
//	and (&&), or (||), not (!), ( )
//
// "and" and "or" bind equally strong, from left to right, as in tcpdump. Unlike
// there, a frame with a VLAN tag is looked at behind it wherever "vlan" stands.
package filter

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// Filter is an expression. The nil Filter keeps everything.
type Filter struct {
	text string
	keep predicate
}

var scratch = sync.Pool{New: func() any { return new(fields) }}

type predicate func(*fields) bool

// Keep tells whether the expression is true of a frame, of which data is the
// beginning and length what it has in all. It allocates nothing.
func (f *Filter) Keep(data []byte, length int) bool {
	if f == nil {
		return true
	}
	p := scratch.Get().(*fields)
	defer scratch.Put(p)
	*p = fields{}
	p.parse(data, length)
	return f.keep(p)
}

// String is the expression.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.text
}

// maxLength bounds an expression, in bytes, and with that how deep it nests.
const maxLength = 4096

// Parse reads an expression; an empty one gives nil. The error says at which
// word it is wrong.
func Parse(text string) (*Filter, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("filter of %d bytes: at most %d", len(text), maxLength)
	}
	p := parser{words: split(text)}
	if len(p.words) == 0 {
		return nil, nil
	}
	keep, err := p.expression()
	if err == nil && p.at < len(p.words) {
		err = fmt.Errorf("nothing may follow here but \"and\" and \"or\"")
	}
	if err != nil {
		return nil, fmt.Errorf("filter %q, at %s: %w", text, p.where(), err)
	}
	return &Filter{text, keep}, nil
}

func split(text string) []string {
	for _, s := range []string{"(", ")", "&&", "||", "!"} {
		text = strings.ReplaceAll(text, s, " "+s+" ")
	}
	return strings.Fields(text)
}

type parser struct {
	words []string
	at    int
}

func (p *parser) where() string {
	if p.at < len(p.words) {
		return strconv.Quote(p.words[p.at])
	}
	return "its end"
}

// take takes the next word if it is one of these.
func (p *parser) take(words ...string) (string, bool) {
	if p.at < len(p.words) {
		for _, w := range words {
			if p.words[p.at] == w {
				p.at++
				return w, true
			}
		}
	}
	return "", false
}

func (p *parser) expression() (predicate, error) {
	left, err := p.term()
	for err == nil {
		var right predicate
		l := left
		if _, ok := p.take("and", "&&"); ok {
			right, err = p.term()
			left = func(f *fields) bool { return l(f) && right(f) }
		} else if _, ok := p.take("or", "||"); ok {
			right, err = p.term()
			left = func(f *fields) bool { return l(f) || right(f) }
		} else {
			return left, nil
		}
	}
	return nil, err
}

func (p *parser) term() (predicate, error) {
	if _, ok := p.take("not", "!"); ok {
		inner, err := p.term()
		return func(f *fields) bool { return !inner(f) }, err
	}
	if _, ok := p.take("("); ok {
		inner, err := p.expression()
		if err != nil {
			return nil, err
		}
		if _, ok := p.take(")"); !ok {
			return nil, fmt.Errorf("a \")\" is missing")
		}
		return inner, nil
	}
	return p.primitive()
}

// protocols are the words that stand for themselves, and before others.
var protocols = map[string]predicate{
	"arp":   func(f *fields) bool { return f.etherType == etherARP },
	"ip":    func(f *fields) bool { return f.etherType == etherIPv4 },
	"ip6":   func(f *fields) bool { return f.etherType == etherIPv6 },
	"tcp":   func(f *fields) bool { return f.isIP() && f.proto == protoTCP },
	"udp":   func(f *fields) bool { return f.isIP() && f.proto == protoUDP },
	"icmp":  func(f *fields) bool { return f.etherType == etherIPv4 && f.proto == protoICMP },
	"icmp6": func(f *fields) bool { return f.etherType == etherIPv6 && f.proto == protoICMPv6 },
}

func (p *parser) primitive() (predicate, error) {
	if word, ok := p.take("broadcast", "multicast", "vlan", "less", "greater", "ether"); ok {
		return p.special(word)
	}
	var both predicate // a protocol that stands before host, net or port
	if word, ok := p.take("arp", "ip", "ip6", "tcp", "udp", "icmp", "icmp6"); ok {
		both = protocols[word]
	}
	side, sided := p.take("src", "dst")
	word, ok := p.take("host", "net", "port")
	if !ok {
		if both != nil && !sided {
			return both, nil
		}
		return nil, fmt.Errorf("unknown filter primitive")
	}
	one, err := p.value(word)
	if err != nil {
		return nil, err
	}
	return func(f *fields) bool {
		return (both == nil || both(f)) && (side != "dst" && one(f, 0) || side != "src" && one(f, 1))
	}, nil
}

// value reads what stands behind host, net and port. The predicate is asked for
// the source (0) and the destination (1).
func (p *parser) value(word string) (func(f *fields, side int) bool, error) {
	if p.at == len(p.words) {
		return nil, fmt.Errorf("%s needs a value", word)
	}
	text := p.words[p.at]
	switch word {
	case "host":
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return nil, fmt.Errorf("not an IP address")
		}
		p.at++
		a = a.Unmap()
		return func(f *fields, side int) bool { return f.addr[side] == a }, nil
	case "net":
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("not a network: write 10.0.0.0/8")
		}
		p.at++
		return func(f *fields, side int) bool { return f.addr[side].IsValid() && n.Contains(f.addr[side]) }, nil
	}
	n, err := p.number(65535)
	return func(f *fields, side int) bool { return f.ports && f.port[side] == uint16(n) }, err
}

func (p *parser) number(most int) (int, error) {
	if p.at == len(p.words) {
		return 0, fmt.Errorf("a number is missing")
	}
	n, err := strconv.Atoi(p.words[p.at])
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("not a number from 0 to %d", most)
	}
	p.at++
	return n, nil
}

func (p *parser) special(word string) (predicate, error) {
	switch word {
	case "broadcast":
		return func(f *fields) bool { return f.mac[1] == [6]byte{255, 255, 255, 255, 255, 255} }, nil
	case "multicast":
		return func(f *fields) bool { return f.mac[1][0]&1 != 0 }, nil
	case "less":
		n, err := p.number(1 << 20)
		return func(f *fields) bool { return f.length <= n }, err
	case "greater":
		n, err := p.number(1 << 20)
		return func(f *fields) bool { return f.length >= n }, err
	case "vlan":
		if p.at < len(p.words) && p.words[p.at][0] >= '0' && p.words[p.at][0] <= '9' {
			n, err := p.number(4095)
			return func(f *fields) bool { return f.vlan == n }, err
		}
		return func(f *fields) bool { return f.vlan >= 0 }, nil
	}
	side, _ := p.take("src", "dst", "host")
	if p.at == len(p.words) {
		return nil, fmt.Errorf("ether needs an address")
	}
	mac, err := net.ParseMAC(p.words[p.at])
	if err != nil || len(mac) != 6 {
		return nil, fmt.Errorf("not a hardware address: write 02:00:00:00:00:01")
	}
	p.at++
	a := [6]byte(mac)
	return func(f *fields) bool { return side != "dst" && f.mac[0] == a || side != "src" && f.mac[1] == a }, nil
}
