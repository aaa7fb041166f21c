package ether_test

import (
	"context"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"
)

// directPorts are two on a direct segment, the second of which the switch knows,
// and a frame from the first to it.
func directPorts(b *testing.B) (ports [2]*ether.Port, f *ether.Frame) {
	b.Helper()
	cal := simbus.NewReal()
	b.Cleanup(cal.Close)
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := cal.AddDomain("b")
	if err != nil {
		b.Fatal(err)
	}
	to := make([]byte, 1514)
	for i := range ports {
		ports[i] = seg.AddPort("b.eth0", d, func(f *ether.Frame) error { copy(to, f.Parts[1]); return nil })
	}
	ports[1].Send(&ether.Frame{Parts: [][]byte{frame(1, 0), make([]byte, 1500)}})
	return ports, &ether.Frame{Parts: [][]byte{frame(0, 1), make([]byte, 1500)}}
}

// BenchmarkDirect hands a frame from port to port in real time.
func BenchmarkDirect(b *testing.B) {
	ports, f := directPorts(b)
	b.ReportAllocs()
	for b.Loop() {
		ports[0].Send(f)
	}
}

// BenchmarkVirtual sends frames through a switch in virtual time, 10 at once.
func BenchmarkVirtual(b *testing.B) {
	cal := simbus.NewVirtual()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		b.Fatal(err)
	}
	var ports [2]*ether.Port
	for i := range ports {
		d, err := cal.AddDomain("b")
		if err != nil {
			b.Fatal(err)
		}
		ports[i] = seg.AddPort("b.eth0", d, func(f *ether.Frame) error { return nil })
	}
	f := &ether.Frame{Parts: [][]byte{frame(0, 1), make([]byte, 1500)}}
	b.ReportAllocs()
	for b.Loop() {
		ports[0].Domain().Do(func() {
			for range 10 {
				ports[0].Send(f)
			}
		})
		if _, err := cal.Advance(context.Background(), cal.Now().Add(time.Millisecond), nil); err != nil {
			b.Fatal(err)
		}
	}
}
