package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

// nameInterfaces gives the interfaces the names that the board file says. The kernel
// has named them in its own order.
func nameInterfaces(fd int, interfaces []config.Interface) {
	rename := func(from, to string) error { return rename(fd, from, to) }
	for _, err := range renameAll(interfaces, byMAC, rename) {
		fail("%v", err)
	}
}

// renameAll does that with the functions given. Where a name is another's still, the
// interface waits under a temporary one, so that any names and any order work,
// swapped ones too.
func renameAll(interfaces []config.Interface, find func(mac string) (string, error), rename func(from, to string) error) (errs []error) {
	type waiting struct{ from, to string }
	var later []waiting
	for n, i := range interfaces {
		found, err := find(i.MAC)
		if err == nil && found != i.Name {
			if err = rename(found, i.Name); errors.Is(err, unix.EEXIST) {
				w := waiting{fmt.Sprintf("rename%d~", n), i.Name} // which is no name that a board file may have
				if err = rename(found, w.from); err == nil {
					later = append(later, w)
				}
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", i.Name, err))
		}
	}
	for _, w := range later {
		if err := rename(w.from, w.to); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.to, err))
		}
	}
	return errs
}

func byMAC(mac string) (string, error) {
	addresses, err := filepath.Glob("/sys/class/net/*/address")
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if b, err := os.ReadFile(a); err == nil && strings.TrimSpace(string(b)) == mac {
			return filepath.Base(filepath.Dir(a)), nil
		}
	}
	return "", &os.PathError{Op: "find the interface with hardware address", Path: mac, Err: unix.ENODEV}
}

func up(fd int, name string) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// rename is SIOCSIFNAME on a struct ifreq with two names.
func rename(fd int, from, to string) error {
	var r [40]byte
	copy(r[:unix.IFNAMSIZ-1], from)
	copy(r[unix.IFNAMSIZ:2*unix.IFNAMSIZ-1], to)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFNAME, uintptr(unsafe.Pointer(&r[0]))); e != 0 {
		return e
	}
	return nil
}

// addAddress gives an interface one more address (RTM_NEWADDR). An IPv6 address
// can be used at once: nobody is asked first whether it is another's (RFC 4862 section
// 5.4), since the check of the appliance has seen to that.
func addAddress(name string, p netip.Prefix) error {
	index, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	flags := byte(0)
	if p.Addr().Is6() {
		flags = unix.IFA_F_NODAD
	}
	m := []byte{family(p.Addr()), byte(p.Bits()), flags, unix.RT_SCOPE_UNIVERSE}
	m = binary.NativeEndian.AppendUint32(m, uint32(index.Index))
	m = attribute(m, unix.IFA_LOCAL, p.Addr().AsSlice())
	m = attribute(m, unix.IFA_ADDRESS, p.Addr().AsSlice())
	if a := p.Addr(); a.Is4() && p.Bits() < 31 {
		b := a.As4()
		host := ^uint32(0) >> p.Bits()
		m = attribute(m, unix.IFA_BROADCAST, binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(b[:])|host))
	}
	return netlink(unix.RTM_NEWADDR, m)
}

// addDefaultRoute sends all else to a router behind an interface (RTM_NEWROUTE).
func addDefaultRoute(name string, router netip.Addr) error {
	index, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	m := []byte{family(router), 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0}
	m = attribute(m, unix.RTA_GATEWAY, router.AsSlice())
	m = attribute(m, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(index.Index)))
	return netlink(unix.RTM_NEWROUTE, m)
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// attribute appends a struct rtattr and its padding.
func attribute(m []byte, kind uint16, value []byte) []byte {
	m = binary.NativeEndian.AppendUint16(m, uint16(unix.SizeofRtAttr+len(value)))
	m = append(binary.NativeEndian.AppendUint16(m, kind), value...)
	for len(m)%unix.RTA_ALIGNTO != 0 {
		m = append(m, 0)
	}
	return m
}

// netlink has the kernel make something new, and waits for its answer. What is there
// already is none of its errors.
func netlink(kind uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("netlink", err)
	}
	defer unix.Close(fd)
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	m = append(append(m, make([]byte, 8)...), body...) // sequence, port
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("netlink", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return os.NewSyscallError("netlink", err)
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("netlink: no answer from the kernel")
	}
	if e := syscall.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:]))); e != 0 && e != unix.EEXIST {
		return e
	}
	return nil
}
