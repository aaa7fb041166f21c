package ether_test

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"backplane/simbus/ether"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// igmp is an IGMP message in a frame: of version 1 or 2, or the head of one of version 3.
func igmp(t testing.TB, from int, kind layers.IGMPType, group string, more ...byte) []byte {
	t.Helper()
	body := append([]byte{byte(kind), 0, 0, 0}, net.ParseIP(group).To4()...)
	if kind == layers.IGMPMembershipReportV3 { // one record, which more begins with the type of
		body = append([]byte{byte(kind), 0, 0, 0, 0, 0, 0, 1}, more[0], 0, 0, byte(len(more)-1)/4)
		body = append(append(body, net.ParseIP(group).To4()...), more[1:]...)
	}
	b := gopacket.NewSerializeBuffer()
	ip := &layers.IPv4{Version: 4, TTL: 1, Protocol: layers.IPProtocolIGMP, SrcIP: net.IP{10, 0, 0, byte(from)}, DstIP: net.IP{224, 0, 0, 22}}
	ether := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(from)}, DstMAC: net.HardwareAddr{1, 0, 0x5e, 0, 0, 22}, EthernetType: layers.EthernetTypeIPv4}
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, ether, ip, gopacket.Payload(body)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSnooping tells the switch of groups, and looks where a frame for one goes.
func TestSnooping(t *testing.T) {
	const group = "239.1.2.3"
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	s := stations(t, cal, seg, 5)
	seg.SetSnooping(true)
	send := func(from int, frame []byte) {
		s[from].domain.Do(func() { s[from].port.Send(&ether.Frame{Parts: [][]byte{frame}}) })
		advance(t, cal, time.Millisecond)
	}
	// goes sends a frame to a group from station 0 and says which others got it.
	goes := func(mac ...byte) (to []int) {
		for i := range s {
			s[i].got = nil
		}
		send(0, append(append(mac, 2, 0, 0, 0, 0, 0, 0x88, 0xb5), "data"...))
		for i := range s {
			if len(s[i].got) > 0 {
				to = append(to, i)
			}
		}
		return to
	}
	group1 := []byte{1, 0, 0x5e, 1, 2, 3}
	all := []int{1, 2, 3, 4}
	for _, step := range []struct {
		what string
		do   func()
		want []int
	}{
		{"nobody has joined", func() {}, all},
		{"version 2", func() { send(1, igmp(t, 1, layers.IGMPMembershipReportV2, group)) }, []int{1}},
		{"version 1", func() { send(2, igmp(t, 2, layers.IGMPMembershipReportV1, group)) }, []int{1, 2}},
		{"version 3, exclude none", func() { send(3, igmp(t, 3, layers.IGMPMembershipReportV3, group, 4)) }, []int{1, 2, 3}},
		{"version 3, include none", func() { send(3, igmp(t, 3, layers.IGMPMembershipReportV3, group, 3)) }, []int{1, 2}},
		{"version 3, include one", func() { send(3, igmp(t, 3, layers.IGMPMembershipReportV3, group, 3, 10, 0, 0, 9)) }, []int{1, 2, 3}},
		{"version 3, block one", func() { send(3, igmp(t, 3, layers.IGMPMembershipReportV3, group, 6, 10, 0, 0, 9)) }, []int{1, 2, 3}},
		{"leave", func() { send(2, igmp(t, 2, layers.IGMPLeaveGroup, group)) }, []int{1, 3}},
		{"somebody asks", func() { send(4, igmp(t, 4, layers.IGMPMembershipQuery, "0.0.0.0")) }, []int{1, 3, 4}},
		{"a cable is cut", func() { s[3].port.SetDown(true); s[3].port.SetDown(false) }, []int{1, 4}},
		{"all have left", func() { send(1, igmp(t, 1, layers.IGMPLeaveGroup, group)) }, []int{4}},
		{"long ago", func() { advance(t, cal, 261*time.Second) }, all},
		{"again", func() { send(1, igmp(t, 1, layers.IGMPMembershipReportV2, group)) }, []int{1}},
		{"no group", func() { send(2, igmp(t, 2, layers.IGMPMembershipReportV2, "10.0.0.1")) }, []int{1}},
		{"off", func() { seg.SetSnooping(false) }, all},
	} {
		step.do()
		if got := goes(group1...); !slices.Equal(got, step.want) {
			t.Errorf("%s: goes to %v, want %v", step.what, got, step.want)
		}
	}
	seg.SetSnooping(true)
	send(1, igmp(t, 1, layers.IGMPMembershipReportV2, "224.0.0.9"))
	if got := goes(1, 0, 0x5e, 0, 0, 9); !slices.Equal(got, all) {
		t.Errorf("a group of the local network goes to %v, want %v", got, all)
	}
	for i := range s {
		s[i].got = nil
	}
	send(4, igmp(t, 4, layers.IGMPMembershipQuery, "0.0.0.0"))
	send(1, igmp(t, 1, layers.IGMPMembershipReportV2, group))
	if len(s[4].got) != 1 || len(s[2].got) != 1 {
		t.Errorf("a report came to %d who ask and a question and it to %d who do not, want one each", len(s[4].got), len(s[2].got))
	}
}

// TestSnoopingHasALimit: who makes up groups fills no memory; others' frames then go everywhere.
func TestSnoopingHasALimit(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	s := stations(t, cal, seg, 3)
	seg.SetSnooping(true)
	seg.SetTable(4, 0)
	send := func(from int, frame []byte) {
		s[from].domain.Do(func() { s[from].port.Send(&ether.Frame{Parts: [][]byte{frame}}) })
		advance(t, cal, time.Millisecond)
	}
	for i := range 5 {
		send(1, igmp(t, 1, layers.IGMPMembershipReportV2, fmt.Sprintf("239.1.0.%d", i)))
	}
	for i := range 5 {
		s[2].got = nil
		send(0, append([]byte{1, 0, 0x5e, 1, 0, byte(i), 2, 0, 0, 0, 0, 0, 0x88, 0xb5}, "data"...))
		if known := len(s[2].got) == 0; known != (i < 4) {
			t.Errorf("of four groups that the switch may know it knows number %d: %v", i+1, known)
		}
	}
}

// FuzzSnooping: nothing that a board can send upsets the switch.
func FuzzSnooping(f *testing.F) {
	f.Add(igmp(f, 1, layers.IGMPMembershipReportV2, "239.1.2.3"))
	f.Add(igmp(f, 1, layers.IGMPMembershipReportV3, "239.1.2.3", 3, 10, 0, 0, 9))
	f.Add(append([]byte{0x33, 0x33, 0, 0, 0, 0x16, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 36, 0, 1}, make([]byte, 68)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		cal, seg := virtualSegment(t, ether.SegmentConfig{})
		s := stations(t, cal, seg, 2)
		seg.SetSnooping(true)
		s[0].domain.Do(func() { s[0].port.Send(&ether.Frame{Parts: [][]byte{b}}) })
		advance(t, cal, time.Second)
	})
}
