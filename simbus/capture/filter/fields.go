package filter

import (
	"encoding/binary"
	"net/netip"
)

// Types of frames and of what IP carries.
const (
	etherIPv4   = 0x0800
	etherARP    = 0x0806
	etherIPv6   = 0x86dd
	etherVLAN   = 0x8100
	etherQinQ   = 0x88a8
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

// fields are what filters ask about. Pairs are source and destination.
type fields struct {
	length    int
	mac       [2][6]byte
	vlan      int // the outer tag's, -1 without one
	etherType uint16
	addr      [2]netip.Addr // zero without any
	proto     uint8
	ports     bool
	port      [2]uint16
}

func (f *fields) isIP() bool { return f.etherType == etherIPv4 || f.etherType == etherIPv6 }

// parse reads a frame as far as it goes.
func (f *fields) parse(b []byte, length int) {
	f.length, f.vlan = length, -1
	if len(b) < 14 {
		return
	}
	f.mac[1], f.mac[0] = [6]byte(b[0:6]), [6]byte(b[6:12])
	f.etherType = binary.BigEndian.Uint16(b[12:])
	b = b[14:]
	for (f.etherType == etherVLAN || f.etherType == etherQinQ) && len(b) >= 4 {
		if f.vlan < 0 {
			f.vlan = int(binary.BigEndian.Uint16(b) & 0xfff)
		}
		f.etherType = binary.BigEndian.Uint16(b[2:])
		b = b[4:]
	}
	switch {
	case f.etherType == etherIPv4 && len(b) >= 20:
		f.ipv4(b)
	case f.etherType == etherIPv6 && len(b) >= 40:
		f.ipv6(b)
	case f.etherType == etherARP && len(b) >= 28:
		f.addr[0], f.addr[1] = netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	}
}

func (f *fields) ipv4(b []byte) {
	f.addr[0], f.addr[1] = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	f.proto = b[9]
	const offset = 0x1fff
	if header := int(b[0]&15) * 4; header >= 20 && header <= len(b) && binary.BigEndian.Uint16(b[6:])&offset == 0 {
		f.transport(b[header:]) // later fragments have no ports
	}
}

func (f *fields) ipv6(b []byte) {
	f.addr[0], f.addr[1] = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	f.proto = b[6]
	f.transport(b[40:])
}

func (f *fields) transport(b []byte) {
	if (f.proto == protoTCP || f.proto == protoUDP || f.proto == protoSCTP) && len(b) >= 4 {
		f.ports = true
		f.port[0], f.port[1] = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	}
}
