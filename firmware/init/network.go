package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

func network(interfaces []config.Interface, names *resolvers) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fail("network: %v", err)
		return
	}
	defer unix.Close(fd)
	if err := up(fd, "lo"); err != nil {
		fail("lo: %v", err)
	}
	nameInterfaces(fd, interfaces)
	for _, i := range interfaces {
		if err := bringUp(fd, i, names); err != nil {
			fail("%s: %v", i.Name, err)
		}
	}
	if err := names.write(); err != nil {
		fail("%v", err)
	}
}

func bringUp(fd int, i config.Interface, names *resolvers) error {
	var adverts *advertised
	if slices.Contains(i.Addresses, config.SLAAC) { // it hears of all from the first on
		var err error
		if adverts, err = listenAdvertised(i.Name); err != nil {
			return fmt.Errorf("address by SLAAC: %w", err)
		}
	}
	if err := up(fd, i.Name); err != nil {
		return os.NewSyscallError("switch it on", err)
	}
	dhcp := false
	for _, text := range i.Addresses {
		if text == config.DHCP || text == config.SLAAC {
			dhcp = dhcp || text == config.DHCP
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		if err := addAddress(i.Name, p); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	for _, text := range i.DNS {
		if a, err := netip.ParseAddr(text); err == nil {
			names.add([]netip.Addr{a}, "")
		}
	}
	for _, text := range i.Gateways {
		a, err := netip.ParseAddr(text)
		if err == nil {
			err = addDefaultRoute(i.Name, a)
		}
		if err != nil {
			return fmt.Errorf("gateway %s: %w", text, err)
		}
	}
	if dhcp {
		if err := nobody(i.Name, byDHCP(i, names)); err != nil {
			return err
		}
	}
	if adverts != nil {
		return nobody(i.Name, adverts.await(i.Name, names))
	}
	return nil
}

// nobody complains if nobody on the network has answered, and passes on other errors: a
// board then goes on, and goes on asking.
func nobody(name string, err error) error {
	if errors.Is(err, errNoServer) || errors.Is(err, errNoRouter) {
		complain("%s: %v", name, err)
		return nil
	}
	return err
}

// byDHCP gives an interface what a DHCP server says, and goes on asking.
func byDHCP(i config.Interface, names *resolvers) error {
	mac, err := hex.DecodeString(strings.ReplaceAll(i.MAC, ":", ""))
	if err != nil || len(mac) != 6 {
		return fmt.Errorf("hardware address %q", i.MAC)
	}
	awaitLink(i.Name)
	l, err := acquire(i.Name, mac)
	if err == nil {
		err = l.use(i.Name)
		names.add(l.dns, l.domain)
	}
	go keepLease(i.Name, mac, l, names)
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
// is none yet, as long as it is the same interface.
func keepLease(name string, mac []byte, l lease, names *resolvers) {
	mine, err := net.InterfaceByName(name)
	if err != nil {
		return
	}
	for {
		pause := dhcpPause
		if l.address.IsValid() {
			pause = max(l.time/2, dhcpPause)
		}
		time.Sleep(pause)
		if now, err := net.InterfaceByName(name); err == nil && now.Index != mine.Index {
			return // it was unplugged, and the one that has come has its own
		}
		next, err := acquire(name, mac)
		if err != nil || next.address == l.address {
			continue // what there is stays
		}
		names.drop(l.dns)
		l = next
		names.add(l.dns, l.domain)
		if err = l.use(name); err == nil {
			err = names.write()
		}
		if err != nil {
			complain("%s: %v", name, err)
		}
	}
}

func (l lease) use(name string) error {
	if err := addAddress(name, l.address); err != nil {
		return err
	}
	if !l.router.IsValid() {
		return nil
	}
	return addDefaultRoute(name, l.router)
}

// resolvers are what is to stand in resolv.conf(5), from all interfaces.
type resolvers struct {
	mu      sync.Mutex
	servers []netip.Addr
	domain  string
}

func (r *resolvers) add(servers []netip.Addr, domain string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range servers {
		if !slices.Contains(r.servers, a) {
			r.servers = append(r.servers, a)
		}
	}
	if domain != "" {
		r.domain = domain
	}
}

func (r *resolvers) drop(servers []netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers = slices.DeleteFunc(r.servers, func(a netip.Addr) bool { return slices.Contains(servers, a) })
}

func (r *resolvers) write() error {
	r.mu.Lock()
	defer r.mu.Unlock()
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
