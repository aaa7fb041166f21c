package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// option is an option of a router advertisement with a lifetime.
func option(kind byte, seconds uint32, value ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind, byte(1 + len(value)/8), 0, 0}, seconds)
	return append(b, value...)
}

var (
	server = netip.MustParseAddr("fd00::fe")
	site   = []byte{4, 's', 'i', 't', 'e', 0, 0, 0}
)

func TestNameServers(t *testing.T) {
	servers, search := option(optionServers, 1800, server.AsSlice()...), option(optionSearch, 1800, site...)
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"server", servers, "[fd00::fe] "},
		{"both", append(servers[:len(servers):len(servers)], search...), "[fd00::fe] site"},
		{"two servers", option(optionServers, 1, append(server.AsSlice(), server.Next().AsSlice()...)...), "[fd00::fe fd00::ff] "},
		{"two labels", option(optionSearch, 1, 1, 'a', 2, 'b', 'c', 0, 0, 0), "[] a.bc"},
		{"no longer one", option(optionServers, 0, server.AsSlice()...), "[] "},
		{"others", append([]byte{5, 1, 0, 0, 0, 0, 5, 220}, search...), "[] site"},
		{"cut short", servers[:16], "[] "},
		{"half a server", option(optionServers, 1, make([]byte, 8)...), "[] "},
		{"of no size", make([]byte, 32), "[] "},
		{"a label beyond the end", option(optionSearch, 1, 7, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 9, 0, 0, 0, 0, 0, 0, 0), "[] "},
		{"a label too long", option(optionSearch, 1, 64, 0, 0, 0, 0, 0, 0, 0), "[] "},
		{"nothing", nil, "[] "},
	} {
		list, domain := nameServers(tt.b)
		if got := fmt.Sprint(list, " ", domain); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestHear gives what the kernel tells of addresses and of name servers.
func TestHear(t *testing.T) {
	a := &advertised{index: 3}
	address := func(scope byte, index, flags uint32) syscall.NetlinkMessage {
		m := []byte{unix.AF_INET6, 64, byte(flags), scope}
		m = binary.NativeEndian.AppendUint32(m, index)
		m = attribute(m, unix.IFA_ADDRESS, server.AsSlice())
		m = attribute(m, unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, flags))
		return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWADDR}, Data: m}
	}
	for _, tt := range []struct {
		name string
		m    syscall.NetlinkMessage
		want bool
	}{
		{"one to use", address(unix.RT_SCOPE_UNIVERSE, 3, unix.IFA_F_MANAGETEMPADDR), true},
		{"another interface's", address(unix.RT_SCOPE_UNIVERSE, 2, 0), false},
		{"one link's", address(unix.RT_SCOPE_LINK, 3, 0), false},
		{"a tentative one", address(unix.RT_SCOPE_UNIVERSE, 3, unix.IFA_F_TENTATIVE), false},
		{"another's", address(unix.RT_SCOPE_UNIVERSE, 3, unix.IFA_F_DADFAILED), false},
		{"one of the file's", address(unix.RT_SCOPE_UNIVERSE, 3, unix.IFA_F_PERMANENT), false},
		{"cut short", syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWADDR}, Data: make([]byte, 7)}, false},
	} {
		if got := a.hear(&tt.m, new(resolvers)); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
	options := option(optionServers, 1800, server.AsSlice()...)
	for name, tt := range map[string]struct {
		size  int
		index uint32
		want  string
	}{"ours": {len(options), 3, "[fd00::fe]"}, "another interface's": {len(options), 2, "[]"}, "longer than it is": {len(options) + 8, 3, "[]"}} {
		m := binary.NativeEndian.AppendUint16([]byte{unix.AF_INET6, 0}, uint16(tt.size))
		m = binary.NativeEndian.AppendUint32(m, tt.index)
		m = append(append(m, make([]byte, 8)...), options...)
		var names resolvers
		if a.hear(&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWNDUSEROPT}, Data: m}, &names) || fmt.Sprint(names.servers) != tt.want {
			t.Errorf("%s: name servers are %v, want %s", name, names.servers, tt.want)
		}
	}
}

// TestResolversOfSeveral has name servers of several sources.
func TestResolversOfSeveral(t *testing.T) {
	var r resolvers
	r.add([]netip.Addr{server, server.Next()}, "site")
	r.add([]netip.Addr{server}, "")
	r.drop([]netip.Addr{server.Next()})
	if got := fmt.Sprint(r.servers, r.domain); got != "[fd00::fe]site" {
		t.Errorf("they are %s", got)
	}
}

func FuzzNameServers(f *testing.F) {
	f.Add(append(option(optionServers, 1800, server.AsSlice()...), option(optionSearch, 1800, site...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if servers, domain := nameServers(b); len(servers)*16+len(domain) > len(b) {
			t.Errorf("%d bytes say %v and %q", len(b), servers, domain)
		}
	})
}
