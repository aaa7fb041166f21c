package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lease is what a DHCP server has given an interface.
type lease struct {
	address netip.Prefix
	router  netip.Addr // not valid if there is none
	dns     []netip.Addr
	domain  string
	server  netip.Addr
	time    time.Duration
}

// DHCP messages (RFC 2131 figure 1, RFC 2132).
const (
	bootRequest, bootReply = 1, 2
	dhcpSize               = 240 // up to the options
	dhcpCookie             = 0x63825363

	optionMask, optionRouter, optionDNS, optionHostName, optionDomain = 1, 3, 6, 12, 15
	optionRequested, optionLeaseTime, optionType, optionServer        = 50, 51, 53, 54
	optionWanted, optionEnd                                           = 55, 255
	dhcpDiscover, dhcpOffer, dhcpRequest, dhcpAck, dhcpNak            = 1, 2, 3, 5, 6
	clientPort, serverPort                                            = 68, 67
	ipSize, udpSize                                                   = 20, 8
)

// dhcpMessage is a message to DHCP servers, with its UDP and IP headers. It answers
// an offer, or looks for one if that is nil.
func dhcpMessage(mac []byte, xid uint32, hostname string, offer *lease) []byte {
	b := make([]byte, ipSize+udpSize+dhcpSize)
	m := b[ipSize+udpSize:]
	m[0], m[1], m[2] = bootRequest, 1, 6 // on Ethernet, with addresses of six bytes
	binary.BigEndian.PutUint32(m[4:], xid)
	copy(m[28:34], mac)
	binary.BigEndian.PutUint32(m[236:], dhcpCookie)
	kind := byte(dhcpDiscover)
	if offer != nil {
		kind = dhcpRequest
	}
	b = append(b, optionType, 1, kind)
	if offer != nil {
		a, s := offer.address.Addr().As4(), offer.server.As4()
		b = append(append(b, optionRequested, 4), a[:]...)
		b = append(append(b, optionServer, 4), s[:]...)
	}
	if n := len(hostname); n > 0 && n < 64 {
		b = append(append(b, optionHostName, byte(n)), hostname...)
	}
	b = append(b, optionWanted, 5, optionMask, optionRouter, optionDNS, optionDomain, optionLeaseTime, optionEnd)

	udp := b[ipSize:]
	binary.BigEndian.PutUint16(udp[0:], clientPort)
	binary.BigEndian.PutUint16(udp[2:], serverPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp))) // and no checksum, which IPv4 allows
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[16:20], []byte{255, 255, 255, 255})
	sum := uint32(0)
	for i := 0; i < ipSize; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum&0xffff+sum>>16))
	return b
}

var errNotForUs = errors.New("not a DHCP answer to us")

// parseReply reads an IP packet that may be a server's answer.
func parseReply(b []byte, xid uint32) (kind byte, l lease, err error) {
	if len(b) < ipSize || b[0]>>4 != 4 || b[9] != unix.IPPROTO_UDP {
		return 0, l, errNotForUs
	}
	header := int(b[0]&15) * 4
	if header < ipSize || len(b) < header+udpSize+dhcpSize || binary.BigEndian.Uint16(b[header+2:]) != clientPort {
		return 0, l, errNotForUs
	}
	m := b[header+udpSize:]
	if m[0] != bootReply || binary.BigEndian.Uint32(m[4:]) != xid || binary.BigEndian.Uint32(m[236:]) != dhcpCookie {
		return 0, l, errNotForUs
	}
	bits := 32
	for o := m[dhcpSize:]; len(o) >= 2 && o[0] != optionEnd; {
		if o[0] == 0 { // padding
			o = o[1:]
			continue
		}
		n := int(o[1])
		if len(o) < 2+n {
			break
		}
		v := o[2 : 2+n]
		switch code := o[0]; {
		case code == optionType && n == 1:
			kind = v[0]
		case code == optionMask && n == 4:
			bits = 32 - trailingZeros(binary.BigEndian.Uint32(v))
		case code == optionRouter && n >= 4:
			l.router = netip.AddrFrom4([4]byte(v))
		case code == optionServer && n == 4:
			l.server = netip.AddrFrom4([4]byte(v))
		case code == optionDNS:
			for ; len(v) >= 4; v = v[4:] {
				l.dns = append(l.dns, netip.AddrFrom4([4]byte(v)))
			}
		case code == optionDomain:
			l.domain = strings.TrimRight(string(v), "\x00")
		case code == optionLeaseTime && n == 4:
			l.time = time.Duration(binary.BigEndian.Uint32(v)) * time.Second
		}
		o = o[2+n:]
	}
	l.address = netip.PrefixFrom(netip.AddrFrom4([4]byte(m[16:20])), bits)
	if kind == 0 || !l.server.IsValid() {
		return 0, l, errNotForUs
	}
	return kind, l, nil
}

func trailingZeros(mask uint32) (n int) {
	for ; n < 32 && mask&1 == 0; n++ {
		mask >>= 1
	}
	return n
}

// tries are how long answers are waited for, time after time.
var tries = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

var errNoServer = errors.New("no DHCP server answers")

// acquire gets a lease for an interface that is up.
func acquire(name string, mac []byte) (l lease, err error) {
	c, err := dialDHCP(name, mac)
	if err != nil {
		return l, err
	}
	defer unix.Close(c.fd)
	for _, limit := range tries {
		offer, err := c.exchange(dhcpMessage(c.mac, c.xid, c.hostname, nil), dhcpOffer, limit)
		if err != nil {
			continue
		}
		if l, err = c.exchange(dhcpMessage(c.mac, c.xid, c.hostname, &offer), dhcpAck, limit); err == nil {
			return l, nil
		}
	}
	return l, errNoServer
}

// dhcpClient speaks to servers by packets of its own, since the interface has no address.
type dhcpClient struct {
	fd       int
	to       unix.SockaddrLinklayer
	mac      []byte
	xid      uint32
	hostname string
}

func dialDHCP(name string, mac []byte) (*dhcpClient, error) {
	const protocol = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, os.NewSyscallError("packet socket", err)
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r)
	}
	c := &dhcpClient{fd: fd, mac: mac, xid: binary.BigEndian.Uint32(mac[2:])} // its own is as good as a random one
	if err == nil {
		c.to = unix.SockaddrLinklayer{Protocol: protocol, Ifindex: int(r.Uint32()), Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: int(r.Uint32())})
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	c.hostname, _ = os.Hostname() // without one it has none
	return c, nil
}

// exchange sends a message and waits for an answer of that kind.
func (c *dhcpClient) exchange(message []byte, kind byte, limit time.Duration) (l lease, err error) {
	if err := unix.Sendto(c.fd, message, 0, &c.to); err != nil {
		return l, err
	}
	buf := make([]byte, 2048)
	for end := time.Now().Add(limit); ; {
		left := time.Until(end)
		if left <= 0 {
			return l, errors.New("no answer")
		}
		tv := unix.NsecToTimeval(max(int64(left), int64(time.Microsecond)))
		if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return l, err
		}
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if err != nil {
			continue // the time is up, or the link has gone for a while
		}
		got, l, err := parseReply(buf[:n], c.xid)
		switch {
		case err != nil:
		case got == kind:
			return l, nil
		case got == dhcpNak:
			return l, errors.New("refused")
		}
	}
}
