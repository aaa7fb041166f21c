package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// configure gives an interface its address and switches it on. An interface
// with a dot in its name is made: a VLAN.
func configure(text, hostname string) error {
	name, addr, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("say INTERFACE=ADDRESS/BITS")
	}
	prefix, err := address(addr, hostname)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if parent, number, ok := strings.Cut(name, "."); ok {
		if err := addVLAN(fd, parent, number); err != nil {
			return fmt.Errorf("make the VLAN: %w", err)
		}
	}
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	host := prefix.Addr().As4()
	if err := errors.Join(r.SetInet4Addr(host[:]), unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r)); err != nil {
		return fmt.Errorf("set the address: %w", err)
	}
	mask := ^uint32(0) << (32 - prefix.Bits())
	if err := errors.Join(r.SetInet4Addr([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}),
		unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, r)); err != nil {
		return fmt.Errorf("set the netmask: %w", err)
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// address reads ADDRESS/BITS; a host part of 0 becomes the number at the end of
// the host name.
func address(text, hostname string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return p, fmt.Errorf("%q is not an IPv4 address with a prefix length", text)
	}
	if p.Masked() != p || p.Bits() == 32 {
		return p, nil
	}
	digits := hostname[len(strings.TrimRight(hostname, "0123456789")):]
	n, err := strconv.ParseUint(digits, 10, 8)
	if err != nil {
		return p, fmt.Errorf("the host name %q does not end in a number from 1 to 255", hostname)
	}
	a := p.Addr().As4()
	a[3] |= byte(n)
	return netip.PrefixFrom(netip.AddrFrom4(a), p.Bits()), nil
}

// addVLAN is SIOCSIFVLAN with a struct vlan_ioctl_args (linux/if_vlan.h).
func addVLAN(fd int, parent, number string) error {
	vlan, err := strconv.ParseUint(number, 10, 12)
	if err != nil {
		return fmt.Errorf("%q is not a VLAN number", number)
	}
	a := struct {
		command int32
		device  [24]byte
		vid     int32 // a union of 24 bytes
		_       [20]byte
		_       int16 // of vlan_qos
	}{command: 0 /* ADD_VLAN_CMD */, vid: int32(vlan)}
	copy(a.device[:len(a.device)-1], parent)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFVLAN, uintptr(unsafe.Pointer(&a))); e != 0 {
		return e
	}
	return nil
}
