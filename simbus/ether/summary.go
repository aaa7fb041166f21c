package ether

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Ethernet types and IP protocols that a summary knows by name.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeVLAN = 0x8100
	typeIPv6 = 0x86dd
	ipICMP   = 1
	ipTCP    = 6
	ipUDP    = 17
	ipICMPv6 = 58
)

// Summary says in a few words what an Ethernet frame carries: "UDP
// 10.0.0.1:4000 > 10.0.0.2:5555, 36 bytes". Any bytes may be given to it.
func Summary(frame []byte) string {
	if len(frame) < minFrame {
		return "too short"
	}
	kind, rest, vlan := binary.BigEndian.Uint16(frame[12:]), frame[14:], ""
	if kind == typeVLAN && len(rest) >= 4 {
		vlan = fmt.Sprintf("VLAN %d ", binary.BigEndian.Uint16(rest)&0xfff)
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	return vlan + payload(kind, rest)
}

func payload(kind uint16, b []byte) string {
	switch {
	case kind == typeARP && len(b) >= 28:
		sender, target := ip(b[14:18]), ip(b[24:28])
		if binary.BigEndian.Uint16(b[6:]) == 1 {
			return fmt.Sprintf("ARP who has %s, tell %s", target, sender)
		}
		return fmt.Sprintf("ARP %s is at %x:%x:%x:%x:%x:%x", sender, b[8], b[9], b[10], b[11], b[12], b[13])
	case kind == typeIPv4 && len(b) >= 20:
		header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if header < 20 || header > len(b) || total < header {
			return "IPv4, broken"
		}
		if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return fmt.Sprintf("IPv4 fragment %s > %s", ip(b[12:16]), ip(b[16:20]))
		}
		return transport(b[9], ip(b[12:16]), ip(b[16:20]), b[header:min(len(b), total)], total-header)
	case kind == typeIPv6 && len(b) >= 40:
		n := int(binary.BigEndian.Uint16(b[4:]))
		return transport(b[6], ip(b[8:24]), ip(b[24:40]), b[40:min(len(b), 40+n)], n)
	}
	return fmt.Sprintf("type %#04x, %d bytes", kind, len(b))
}

func ip(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

func transport(protocol uint8, src, dst netip.Addr, b []byte, length int) string {
	ports := func() (string, string) {
		return netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)).String(), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:])).String()
	}
	switch {
	case protocol == ipUDP && len(b) >= 8:
		from, to := ports()
		return fmt.Sprintf("UDP %s > %s, %d bytes", from, to, length-8)
	case protocol == ipTCP && len(b) >= 20:
		from, to := ports()
		flags := ""
		for i, f := range "FSRPAU" {
			if b[13]>>i&1 != 0 {
				flags += string(f)
			}
		}
		return fmt.Sprintf("TCP %s > %s [%s], %d bytes", from, to, flags, length-int(b[12]>>4)*4)
	case protocol == ipICMP && len(b) >= 2:
		return fmt.Sprintf("ICMP %s > %s, %s", src, dst, icmp(b[0], map[uint8]string{0: "echo reply", 3: "unreachable", 8: "echo request", 11: "time exceeded"}))
	case protocol == ipICMPv6 && len(b) >= 2:
		return fmt.Sprintf("ICMPv6 %s > %s, %s", src, dst, icmp(b[0], map[uint8]string{1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
			133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation", 136: "neighbor advertisement", 143: "multicast report"}))
	}
	return fmt.Sprintf("IP protocol %d %s > %s, %d bytes", protocol, src, dst, length)
}

func icmp(kind uint8, names map[uint8]string) string {
	if n, ok := names[kind]; ok {
		return n
	}
	return fmt.Sprintf("type %d", kind)
}
