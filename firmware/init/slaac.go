package main

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// routerWait is how long a host waits for routers that it solicits: three times 4
// seconds, of which the kernel makes its own use (RFC 4861 section 6.3.7).
const routerWait = 12 * time.Second

var errNoRouter = errors.New("no router advertises an address")

// advertised is what the kernel tells of the advertisements of routers that come in at
// an interface. It makes the addresses and the default route itself; the name servers
// (RFC 8106) are for programs to take.
type advertised struct {
	fd    int
	index uint32 // of the interface
}

func listenAdvertised(name string) (*advertised, error) {
	probe, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("IPv6", err) // which the kernel does not have
	}
	unix.Close(probe)
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("netlink", err)
	}
	groups := uint32(1<<(unix.RTNLGRP_IPV6_IFADDR-1) | 1<<(unix.RTNLGRP_ND_USEROPT-1))
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("netlink", err)
	}
	return &advertised{fd, uint32(i.Index)}, nil
}

// await waits for an address. If none comes, it goes on waiting when it has returned.
func (a *advertised) await(name string, names *resolvers) error {
	err := a.until(time.Now().Add(routerWait), names)
	if !errors.Is(err, errNoRouter) {
		unix.Close(a.fd)
		return err
	}
	go func() {
		defer unix.Close(a.fd)
		err := a.until(time.Time{}, names)
		if err == nil {
			err = names.write()
		}
		if err != nil {
			complain("%s: %v", name, err)
		}
	}()
	return err
}

// until reads until there is an address that can be used, or that time has come; a time of
// zero never does.
func (a *advertised) until(end time.Time, names *resolvers) error {
	buf := make([]byte, 16<<10)
	for {
		var tv unix.Timeval // zero: without end
		if !end.IsZero() {
			left := time.Until(end)
			if left <= 0 {
				return errNoRouter
			}
			tv = unix.NsecToTimeval(max(int64(left), int64(time.Microsecond)))
		}
		if err := unix.SetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return os.NewSyscallError("netlink", err)
		}
		n, _, err := unix.Recvfrom(a.fd, buf, 0)
		if err != nil {
			continue // the time is up, or more has come than there was room for
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return os.NewSyscallError("netlink", err)
		}
		for i := range messages {
			if a.hear(&messages[i], names) {
				return nil
			}
		}
	}
}

// hear takes the name servers out of a message, and tells whether it says that the
// interface has an address that a router was the cause of.
func (a *advertised) hear(m *syscall.NetlinkMessage, names *resolvers) bool {
	switch d := m.Data; {
	case m.Header.Type == unix.RTM_NEWNDUSEROPT && len(d) >= unix.SizeofNdUseroptmsg:
		options := d[unix.SizeofNdUseroptmsg:]
		if n := int(binary.NativeEndian.Uint16(d[2:])); binary.NativeEndian.Uint32(d[4:]) == a.index && n <= len(options) {
			names.add(nameServers(options[:n]))
		}
	case m.Header.Type == unix.RTM_NEWADDR && len(d) >= unix.SizeofIfAddrmsg:
		flags := uint32(d[2])
		attributes, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return false
		}
		for _, one := range attributes {
			if one.Attr.Type == unix.IFA_FLAGS && len(one.Value) >= 4 {
				flags = binary.NativeEndian.Uint32(one.Value)
			}
		}
		// One that stands in the board's file is permanent; one that was not yet found to be
		// nobody else's (RFC 4862 section 5.4) is tentative.
		const not = unix.IFA_F_PERMANENT | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
		return d[3] == unix.RT_SCOPE_UNIVERSE && binary.NativeEndian.Uint32(d[4:]) == a.index && flags&not == 0
	}
	return false
}

// Options of a router advertisement that tell of name servers (RFC 8106 section 5), in
// units of 8 bytes.
const optionServers, optionSearch, optionUnit = 25, 31, 8

// nameServers are the name servers and the domain in options of a router advertisement,
// as far as they make sense.
func nameServers(o []byte) (servers []netip.Addr, domain string) {
	for len(o) >= optionUnit {
		n := int(o[1]) * optionUnit
		if n == 0 || n > len(o) {
			break
		}
		lives, v := binary.BigEndian.Uint32(o[4:]) > 0, o[optionUnit:n]
		switch {
		case o[0] == optionServers && lives:
			for ; len(v) >= net.IPv6len; v = v[net.IPv6len:] {
				servers = append(servers, netip.AddrFrom16([16]byte(v)))
			}
		case o[0] == optionSearch && lives && domain == "":
			domain = searchDomain(v)
		}
		o = o[n:]
	}
	return servers, domain
}

// searchDomain is the first of domains in the form of RFC 1035 section 3.1.
func searchDomain(b []byte) string {
	var labels []string
	for len(b) > 0 && b[0] != 0 {
		n := int(b[0])
		if n > 63 || 1+n > len(b) {
			return ""
		}
		labels = append(labels, string(b[1:1+n]))
		b = b[1+n:]
	}
	return strings.Join(labels, ".")
}
