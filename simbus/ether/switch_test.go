package ether_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
)

// sendTagged sends text with a VLAN tag from station i to all.
func (s *station) sendTagged(i int, control uint16, text string) {
	f := binary.BigEndian.AppendUint16(append(frame(i, -1)[:12], 0x81, 0), control)
	f = append(f, 0x88, 0xb5)
	s.domain.Do(func() { s.port.Send(&ether.Frame{Parts: [][]byte{f[:5], f[5:15], f[15:], []byte(text)}}) })
}

// heard is what each station got since the last time: "TAG text" with a tag, "- text" without.
func heard(s []*station) (list []string) {
	for _, st := range s {
		var texts []string
		for _, f := range st.raw {
			tag, text := "-", string(f[14:])
			if binary.BigEndian.Uint16(f[12:]) == 0x8100 {
				tag, text = fmt.Sprintf("%#x", binary.BigEndian.Uint16(f[14:])), string(f[18:])
			}
			texts = append(texts, tag+" "+text)
		}
		list = append(list, strings.Join(texts, ", "))
		st.raw = nil
	}
	return list
}

// vlanSwitch has access ports of VLANs 10, 10 and 20, a trunk of both with
// native VLAN 99, and a trunk of 20 that takes nothing without a tag.
func vlanSwitch(s []*station) {
	s[0].port.SetMembership(ether.Membership{VLAN: 10})
	s[1].port.SetMembership(ether.Membership{VLAN: 10})
	s[2].port.SetMembership(ether.Membership{VLAN: 20})
	s[3].port.SetMembership(ether.Membership{VLAN: 99, Trunk: []uint16{10, 20}})
	s[4].port.SetMembership(ether.Membership{Trunk: []uint16{20}})
}

func testVLANs(t *testing.T, s []*station, settle func()) {
	step := func(name string, send func(), want ...string) {
		t.Helper()
		send()
		settle()
		if diff := cmp.Diff(want, heard(s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	step("tags pass a switch without VLANs", func() { s[0].sendTagged(0, 0xa00a, "x") }, "", "0xa00a x", "0xa00a x", "0xa00a x", "0xa00a x")
	vlanSwitch(s)
	step("access to access and trunk", func() { s[0].send(t, 0, -1, "a") }, "", "- a", "", "0xa a", "")
	step("other VLAN", func() { s[2].send(t, 2, -1, "b") }, "", "", "", "0x14 b", "0x14 b")
	step("trunk to access, priority kept on trunks", func() { s[3].sendTagged(3, 0xa014, "c") }, "", "", "- c", "", "0xa014 c")
	step("native", func() { s[3].send(t, 3, -1, "d") }, "", "", "", "", "")
	step("no native", func() { s[4].send(t, 4, -1, "e") }, "", "", "", "", "")
	step("a tag of its own VLAN on an access port", func() { s[0].sendTagged(0, 10, "f") }, "", "- f", "", "0xa f", "")
	step("a foreign tag on an access port", func() { s[0].sendTagged(0, 20, "g") }, "", "", "", "", "")
	step("priority only", func() { s[0].sendTagged(0, 0xa000, "h") }, "", "- h", "", "0xa00a h", "")
	step("known in its VLAN", func() { s[1].send(t, 1, 0, "i") }, "- i", "", "", "", "")
	step("unknown in another", func() { s[2].send(t, 2, 0, "j") }, "", "", "", "0x14 j", "0x14 j")
	step("no such VLAN", func() { s[3].sendTagged(3, 4095, "k") }, "", "", "", "", "")
	if n := s[0].port.Counters(ether.Tx).Drops[ether.DropVLAN].Load(); n != 1 {
		t.Errorf("port 0 counts %d frames of foreign VLANs, want 1", n)
	}
	if n := s[4].port.Counters(ether.Tx).Drops[ether.DropVLAN].Load(); n != 1 {
		t.Errorf("port 4 counts %d frames of foreign VLANs, want 1", n)
	}
	// A port that mirrors gets what passes at another, once, as it came in.
	s[2].port.SetMirror([]*ether.Port{s[0].port, s[1].port})
	step("mirrored, out and in", func() { s[0].send(t, 0, 1, "m") }, "", "- m", "- m", "", "")
	step("mirrored from a trunk", func() { s[3].sendTagged(3, 10, "n") }, "- n", "- n", "0xa n", "", "")
	step("of its own VLAN anyway", func() { s[4].sendTagged(4, 20, "o") }, "", "", "- o", "0x14 o", "")
	s[2].port.SetMirror(nil)
	step("no longer", func() { s[0].send(t, 0, 1, "p") }, "", "- p", "", "", "")
}

func TestVLANsAndMirrors(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	testVLANs(t, stations(t, cal, seg, 5), func() { advance(t, cal, time.Millisecond) })
}

// TestVLANsDirect is the same where frames are not stored.
func TestVLANsDirect(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	testVLANs(t, stations(t, cal, seg, 5), func() {
		if !seg.Direct() {
			t.Fatal("not direct")
		}
	})
}

func TestAddressTable(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	s := stations(t, cal, seg, 3)
	seg.SetTable(2, 10*time.Second)
	// toOne tells whether the switch knows where station 0 is.
	toOne := func() bool {
		t.Helper()
		heard(s)
		s[1].send(t, 1, 0, "x")
		advance(t, cal, time.Millisecond)
		h := heard(s)
		return h[0] == "- x" && h[2] == ""
	}
	s[0].send(t, 0, -1, "")
	advance(t, cal, 9*time.Second)
	if !toOne() {
		t.Error("an address is forgotten before its time")
	}
	advance(t, cal, 2*time.Second)
	if toOne() {
		t.Error("an address is remembered beyond its time")
	}
	s[0].send(t, 0, -1, "")
	advance(t, cal, time.Millisecond)
	for i := range 5 { // the table has room for two, of which these are not
		s[2].send(t, 10+i, -1, "")
		advance(t, cal, time.Millisecond)
	}
	if limit, ageing, known := seg.Table(); limit != 2 || ageing != 10*time.Second || known != 2 {
		t.Errorf("the table has limit %d, ageing %s, %d known", limit, ageing, known)
	}
	if !toOne() {
		t.Error("a known address went to make room")
	}
	s[0].port.SetDown(true)
	s[0].port.SetDown(false)
	if toOne() {
		t.Error("an address is known behind a port that was down")
	}
	// A station that moves is found at once.
	s[0].send(t, 0, -1, "")
	advance(t, cal, time.Millisecond)
	s[2].send(t, 0, -1, "I moved")
	advance(t, cal, time.Millisecond)
	heard(s)
	s[1].send(t, 1, 0, "x")
	advance(t, cal, time.Millisecond)
	if diff := cmp.Diff([]string{"", "", "- x"}, heard(s)); diff != "" {
		t.Errorf("after a move (-want +got):\n%s", diff)
	}
}

func TestStormLimit(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	s := stations(t, cal, seg, 2)
	s[0].port.SetStormLimit(3)
	for range 2 {
		for range 5 {
			s[0].send(t, 0, -1, "all")
			s[0].send(t, 0, 1, "one")
		}
		advance(t, cal, time.Second)
	}
	tx, rx := s[0].port.Counters(ether.Tx), s[1].port.Counters(ether.Rx)
	got := fmt.Sprint(tx.Broadcast.Load(), tx.Unicast.Load(), tx.Drops[ether.DropStorm].Load(), s[0].port.Storms(), rx.Broadcast.Load(), rx.Unicast.Load())
	if got != "10 10 4 2 6 10" {
		t.Errorf("sent to all, to one, dropped, storms, and received: %s, want 10 10 4 2 6 10", got)
	}
}

// TestCountsByOutcome: what a board takes, does not want, and cannot take.
func TestCountsByOutcome(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	s := stations(t, cal, seg, 1)
	results := []error{nil, ether.ErrFiltered, errors.New("off"), nil}
	p := seg.AddPort("b1.eth0", s[0].domain, func(*ether.Frame) error {
		err := results[0]
		results = results[1:]
		return err
	})
	for range 4 {
		s[0].send(t, 0, -1, "x")
	}
	advance(t, cal, time.Millisecond)
	rx := p.Counters(ether.Rx)
	if got := fmt.Sprint(rx.Frames.Load(), rx.Filtered.Load(), rx.Drops[ether.DropBoard].Load(), rx.Dropped()); got != "2 1 1 1" {
		t.Errorf("taken, filtered, refused, dropped: %s, want 2 1 1 1", got)
	}
}

// BenchmarkDirectTagged hands a frame from an access port to a trunk.
func BenchmarkDirectTagged(b *testing.B) {
	ports, f := directPorts(b)
	ports[0].SetMembership(ether.Membership{VLAN: 10})
	ports[1].SetMembership(ether.Membership{Trunk: []uint16{10}})
	b.ReportAllocs()
	for b.Loop() {
		ports[0].Send(f)
	}
}

// TestReservedGroups sends to neighbours' groups: switches keep them, mirrors see them,
// and a cable passes everything.
func TestReservedGroups(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  ether.SegmentConfig
		want []string
	}{
		"switch": {ether.SegmentConfig{}, []string{"", "- 10, - g", "- 00, - 0e, - 0f, - 10, - g"}},
		"told":   {ether.SegmentConfig{Reserved: true}, []string{"", "- 00, - 0e, - 0f, - 10, - g", "- 00, - 0e, - 0f, - 10, - g"}},
		"cable":  {ether.SegmentConfig{Cable: true}, []string{"", "- 00, - 0e, - 0f, - 10, - g"}},
	} {
		for _, virtual := range []bool{true, false} {
			t.Run(fmt.Sprint(name, virtual), func(t *testing.T) {
				cal := simbus.NewReal()
				if virtual {
					cal = simbus.NewVirtual()
				}
				t.Cleanup(cal.Close)
				seg, err := ether.NewSegment(cal, "lan", c.cfg)
				if err != nil {
					t.Fatal(err)
				}
				s := stations(t, cal, seg, len(c.want))
				if len(s) > 2 {
					s[2].port.SetMirror([]*ether.Port{s[0].port})
				}
				for _, last := range []byte{0x00, 0x0e, 0x0f, 0x10} {
					f := append([]byte{0x01, 0x80, 0xc2, 0, 0, last}, frame(0, 1)[6:]...)
					s[0].domain.Do(func() { s[0].port.Send(&ether.Frame{Parts: [][]byte{fmt.Appendf(f, "%02x", last)}}) })
				}
				s[0].sendTo([]byte{0x01, 0x80, 0xc2, 0, 1, 0}, "g")
				if virtual {
					advance(t, cal, time.Second)
				}
				if diff := cmp.Diff(c.want, heard(s)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got, want := s[0].port.Counters(ether.Tx).Drops[ether.DropReserved].Load(), uint64(3); name == "switch" && got != want {
					t.Errorf("%d frames were dropped, want %d", got, want)
				}
			})
		}
	}
}

func (s *station) sendTo(dst []byte, text string) {
	f := append(append([]byte{}, dst...), frame(0, 1)[6:]...)
	s.domain.Do(func() { s.port.Send(&ether.Frame{Parts: [][]byte{append(f, text...)}}) })
}

// TestPadding: a frame of 60 bytes that loses its tag is as long as a frame must be.
func TestPadding(t *testing.T) {
	cal := simbus.NewVirtual()
	t.Cleanup(cal.Close)
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := stations(t, cal, seg, 2)
	s[0].port.SetMembership(ether.Membership{Trunk: []uint16{10}})
	s[1].port.SetMembership(ether.Membership{VLAN: 10})
	s[0].sendTagged(0, 10, strings.Repeat("x", 60-18))
	advance(t, cal, time.Second)
	if len(s[1].raw) != 1 || len(s[1].raw[0]) != 60 || !strings.HasSuffix(string(s[1].raw[0]), "xx\x00\x00\x00\x00") {
		t.Errorf("got %q, want 56 bytes and 4 of padding", s[1].raw)
	}
	f := &ether.Frame{Parts: [][]byte{frame(0, 1)}}
	if f.Pad(); f.Len() != 60 {
		t.Errorf("a header is padded to %d bytes, want 60", f.Len())
	}
	for _, n := range []int{0, 13, 60, 61} {
		f := &ether.Frame{Parts: [][]byte{make([]byte, n)}}
		if f.Pad(); f.Len() != n {
			t.Errorf("%d bytes are padded to %d", n, f.Len())
		}
	}
}
