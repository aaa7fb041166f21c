package ether_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
)

// station is a port with somebody behind it who writes down what arrives.
type station struct {
	domain *simbus.Domain
	port   *ether.Port
	got    []string
	raw    [][]byte
}

func stations(t *testing.T, cal *simbus.Calendar, seg *ether.Segment, n int) []*station {
	t.Helper()
	var list []*station
	for i := range n {
		d, err := cal.AddDomain(fmt.Sprintf("b%d", i))
		if err != nil {
			t.Fatal(err)
		}
		s := &station{domain: d}
		s.port = seg.AddPort(fmt.Sprintf("b%d.eth0", i), d, func(f *ether.Frame) error {
			whole := bytes.Join(f.Parts, nil)
			s.got = append(s.got, fmt.Sprintf("%s %s", d.Now(), whole[14:]))
			s.raw = append(s.raw, whole)
			return nil
		})
		list = append(list, s)
	}
	return list
}

// send sends text from station i, to station j or, below 0, to all.
func (s *station) send(t *testing.T, i, j int, text string) {
	t.Helper()
	s.domain.Do(func() {
		s.port.Send(&ether.Frame{Parts: [][]byte{frame(i, j)[:10], frame(i, j)[10:], []byte(text)}})
	})
}

func frame(from, to int) []byte {
	f := append([]byte{2, 0, 0, 0, 0, byte(to)}, 2, 0, 0, 0, 0, byte(from), 0x88, 0xb5)
	if to < 0 {
		copy(f, "\xff\xff\xff\xff\xff\xff")
	}
	return f
}

func virtualSegment(t *testing.T, cfg ether.SegmentConfig) (*simbus.Calendar, *ether.Segment) {
	t.Helper()
	cal := simbus.NewVirtual()
	seg, err := ether.NewSegment(cal, "lan", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cal.Close)
	return cal, seg
}

func advance(t *testing.T, cal *simbus.Calendar, d time.Duration) {
	t.Helper()
	if _, err := cal.Advance(context.Background(), cal.Now().Add(d), nil); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentLearnsAndDelays(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 50 * time.Microsecond, Bandwidth: 1e12}})
	s := stations(t, cal, seg, 3)
	s[0].send(t, 0, 1, "unknown, to all")
	advance(t, cal, time.Millisecond)
	s[1].send(t, 1, 0, "known, to one")
	advance(t, cal, time.Millisecond)
	s[2].send(t, 2, -1, "to all")
	advance(t, cal, time.Millisecond)
	want := [][]string{
		{"0.001050000s known, to one", "0.002050000s to all"},
		{"0.000050000s unknown, to all", "0.002050000s to all"},
		{"0.000050000s unknown, to all"},
	}
	for i := range s {
		if diff := cmp.Diff(want[i], s[i].got); diff != "" {
			t.Errorf("station %d (-want +got):\n%s", i, diff)
		}
	}
	if n := s[0].port.Counters(ether.Rx).Bytes.Load(); n != 27+20 {
		t.Errorf("station 0 counts %d bytes received, want 47", n)
	}
}

func TestSegmentBandwidth(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 10 * time.Microsecond, Bandwidth: 1e6}})
	s := stations(t, cal, seg, 2)
	text := strings.Repeat("x", 1000-14-24) // 1000 bytes with everything: 8 ms each
	for range 3 {
		s[0].send(t, 0, 1, text)
	}
	for range 20 {
		s[0].send(t, 0, 1, text)
	}
	advance(t, cal, time.Second)
	var times []string
	for _, g := range s[1].got[:3] {
		times = append(times, g[:12])
	}
	if diff := cmp.Diff([]string{"0.008010000s", "0.016010000s", "0.024010000s"}, times); diff != "" {
		t.Errorf("arrivals (-want +got):\n%s", diff)
	}
	if got, dropped := len(s[1].got), s[1].port.Counters(ether.Rx).Drops[ether.DropQueue].Load(); got != 13 || dropped != 10 {
		t.Errorf("%d arrived and %d were dropped, want 13 and 10: 100 ms wait in a queue", got, dropped)
	}
}

func TestSegmentLossIsRepeatable(t *testing.T) {
	run := func(seed uint64) string {
		cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Loss: 0.3}, Seed: seed})
		s := stations(t, cal, seg, 2)
		for i := range 200 {
			s[0].send(t, 0, 1, fmt.Sprint(i))
			advance(t, cal, time.Millisecond)
		}
		if n := len(s[1].got); n < 110 || n > 170 {
			t.Errorf("%d of 200 frames arrived at a loss of 0.3", n)
		}
		return strings.Join(s[1].got, "\n")
	}
	first, second := run(1), run(1)
	if first != second {
		t.Error("the same seed loses different frames")
	}
	if first == run(2) {
		t.Error("different seeds lose the same frames")
	}
}

func TestSegmentCut(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{})
	s := stations(t, cal, seg, 3)
	step := func(text string) {
		s[0].send(t, 0, -1, text)
		advance(t, cal, time.Millisecond)
	}
	s[1].port.SetDown(true)
	step("one port cut")
	s[1].port.SetDown(false)
	seg.SetDown(true)
	step("all cut")
	seg.SetDown(false)
	step("whole")
	if len(s[1].got) != 1 || !strings.HasSuffix(s[1].got[0], "whole") {
		t.Errorf("the port that was cut got %q", s[1].got)
	}
	if len(s[2].got) != 2 {
		t.Errorf("the other port got %q", s[2].got)
	}
}

// TestSegmentDirect sends in real time, where the sender's goroutine delivers.
func TestSegmentDirect(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !seg.Direct() {
		t.Fatal("a segment that does nothing to frames is not direct in real time")
	}
	a, _ := cal.AddDomain("a")
	b, _ := cal.AddDomain("b")
	got := make(chan string, 1)
	from := seg.AddPort("a.eth0", a, func(*ether.Frame) error { return nil })
	seg.AddPort("b.eth0", b, func(f *ether.Frame) error {
		got <- fmt.Sprint(len(f.Parts), f.Len())
		return nil
	})
	a.Do(func() { from.Send(&ether.Frame{Parts: [][]byte{frame(0, 1), []byte("x"), []byte("yz")}}) })
	if g := <-got; g != "3 17" {
		t.Errorf("arrived as %s parts and bytes, want 3 17, not copied", g)
	}
}

func TestSummary(t *testing.T) {
	eth := func(kind uint16, payload ...byte) []byte {
		return append(binary.BigEndian.AppendUint16(make([]byte, 12), kind), payload...)
	}
	ipv4 := func(protocol byte, payload ...byte) []byte {
		h := []byte{0x45, 0, 0, byte(20 + len(payload)), 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
		return append(h, payload...)
	}
	udp := append([]byte{0x0f, 0xa0, 0x15, 0xb3, 0, 12, 0, 0}, "data"...)
	tcp := []byte{0, 80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0, 'x'}
	arp := []byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2}
	tests := []struct {
		name  string
		frame []byte
		want  string
	}{
		{"short", []byte("short"), "too short"},
		{"udp", eth(0x800, ipv4(17, udp...)...), "UDP 10.0.0.1:4000 > 10.0.0.2:5555, 4 bytes"},
		{"tcp", eth(0x800, ipv4(6, tcp...)...), "TCP 10.0.0.1:80 > 10.0.0.2:256 [SA], 1 bytes"},
		{"ping", eth(0x800, ipv4(1, 8, 0)...), "ICMP 10.0.0.1 > 10.0.0.2, echo request"},
		{"other protocol", eth(0x800, ipv4(99, 8, 0)...), "IP protocol 99 10.0.0.1 > 10.0.0.2, 2 bytes"},
		{"arp", eth(0x806, arp...), "ARP who has 10.0.0.2, tell 10.0.0.1"},
		{"vlan", eth(0x8100, append([]byte{0, 7, 8, 6}, arp...)...), "VLAN 7 ARP who has 10.0.0.2, tell 10.0.0.1"},
		{"other type", eth(0x88b5, 1, 2, 3), "type 0x88b5, 3 bytes"},
		{"broken header", eth(0x800, append([]byte{0x4f}, make([]byte, 19)...)...), "IPv4, broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ether.Summary(tt.frame); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func FuzzSummary(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x86\xdd\x60\x00\x00\x00\x00\x08\x11\x40"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if ether.Summary(frame) == "" {
			t.Error("nothing is said")
		}
	})
}
