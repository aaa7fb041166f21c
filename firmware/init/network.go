package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

func network(interfaces []config.Interface) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		complain("network: %v", err)
		return
	}
	defer unix.Close(fd)
	if err := up(fd, "lo"); err != nil {
		complain("lo: %v", err)
	}
	var names resolvers
	for _, i := range interfaces {
		if err := bringUp(fd, i, &names); err != nil {
			complain("%s: %v", i.Name, err)
		}
	}
	if err := names.write(); err != nil {
		complain("%v", err)
	}
}

func bringUp(fd int, i config.Interface, names *resolvers) error {
	found, err := byMAC(i.MAC)
	if err != nil {
		return err
	}
	if found != i.Name {
		if err := rename(fd, found, i.Name); err != nil {
			return err
		}
	}
	if i.Address == config.DHCP {
		if err := up(fd, i.Name); err != nil {
			return err
		}
		return byDHCP(fd, i, names)
	}
	if i.Address != "" {
		p, err := netip.ParsePrefix(i.Address)
		if err != nil {
			return err
		}
		if p.Addr().Is4() {
			if err := setAddress(fd, i.Name, p); err != nil {
				return err
			}
		} else if err := setAddress6(i.Name, p); err != nil {
			return err
		}
	}
	if err := up(fd, i.Name); err != nil {
		return err
	}
	for _, text := range i.DNS {
		if a, err := netip.ParseAddr(text); err == nil {
			names.servers = append(names.servers, a)
		}
	}
	if a, err := netip.ParseAddr(i.Gateway); err == nil {
		return defaultRoute(fd, a)
	}
	return nil
}

// byDHCP gives an interface what a DHCP server says, and goes on asking.
func byDHCP(fd int, i config.Interface, names *resolvers) error {
	mac, err := hex.DecodeString(strings.ReplaceAll(i.MAC, ":", ""))
	if err != nil || len(mac) != 6 {
		return fmt.Errorf("hardware address %q", i.MAC)
	}
	awaitLink(i.Name)
	l, err := acquire(i.Name, mac)
	if err == nil {
		err = l.use(fd, i.Name)
		names.add(l)
	}
	go keepLease(i.Name, mac, l)
	return err
}

// awaitLink waits until an interface that is up can send, which its driver brings
// about a little later; not long, since its cable may be cut.
func awaitLink(name string) {
	for range 100 {
		if b, err := os.ReadFile("/sys/class/net/" + name + "/operstate"); err != nil || string(b) == "up\n" {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// dhcpPause is how long to wait after all tries before the next ones.
const dhcpPause = 10 * time.Second

// keepLease renews a lease when half its time is over, and gets one where there
// is none yet.
func keepLease(name string, mac []byte, l lease) {
	for {
		pause := dhcpPause
		if l.address.IsValid() {
			pause = max(l.time/2, dhcpPause)
		}
		time.Sleep(pause)
		next, err := acquire(name, mac)
		if err != nil || next.address == l.address {
			continue // what there is stays
		}
		l = next
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			var names resolvers
			names.add(l)
			if err = l.use(fd, name); err == nil {
				err = names.write()
			}
			unix.Close(fd)
		}
		if err != nil {
			complain("%s: %v", name, err)
		}
	}
}

func (l lease) use(fd int, name string) error {
	if err := setAddress(fd, name, l.address); err != nil {
		return err
	}
	if !l.router.IsValid() {
		return nil
	}
	return defaultRoute(fd, l.router)
}

// resolvers are what is to stand in resolv.conf(5).
type resolvers struct {
	servers []netip.Addr
	domain  string
}

func (r *resolvers) add(l lease) {
	r.servers = append(r.servers, l.dns...)
	if l.domain != "" {
		r.domain = l.domain
	}
}

func (r *resolvers) write() error {
	if len(r.servers) == 0 {
		return nil
	}
	var b bytes.Buffer
	if r.domain != "" && !strings.ContainsAny(r.domain, " \t\n") {
		fmt.Fprintf(&b, "search %s\n", r.domain)
	}
	for _, a := range r.servers {
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		return err
	}
	return os.WriteFile("/etc/resolv.conf", b.Bytes(), 0o644)
}

// defaultRoute is SIOCADDRT with a struct rtentry (linux/route.h).
func defaultRoute(fd int, router netip.Addr) error {
	const gateway, mask = 24, 40 // struct sockaddr, as the destination at 8 is
	var r [120]byte
	for _, at := range []int{8, gateway, mask} {
		r[at] = unix.AF_INET // the low byte: a board is a little-endian machine
	}
	a := router.As4()
	copy(r[gateway+4:], a[:])
	r[56] = unix.RTF_UP | unix.RTF_GATEWAY
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCADDRT, uintptr(unsafe.Pointer(&r[0]))); e != 0 && e != unix.EEXIST {
		return os.NewSyscallError("default route", e)
	}
	return nil
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

func setAddress(fd int, name string, p netip.Prefix) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	addr := p.Addr().As4()
	if err := r.SetInet4Addr(addr[:]); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
		return err
	}
	mask := ^uint32(0) << (32 - p.Bits())
	if err := r.SetInet4Addr([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, r)
}

// setAddress6 is SIOCSIFADDR on a struct in6_ifreq (linux/ipv6.h).
func setAddress6(name string, p netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err != nil {
		return err
	}
	req := struct {
		addr  [16]byte
		bits  uint32
		index int32
	}{p.Addr().As16(), uint32(p.Bits()), int32(r.Uint32())}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&req))); e != 0 {
		return e
	}
	return nil
}
