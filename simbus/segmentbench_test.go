package simbus_test

import (
	"testing"

	"backplane/simbus"
)

// BenchmarkDirect hands a frame from port to port in real time.
func BenchmarkDirect(b *testing.B) {
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := cal.NewSegment("lan", simbus.SegmentConfig{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := cal.AddDomain("b")
	if err != nil {
		b.Fatal(err)
	}
	bytes := make([]byte, 1514)
	var ports [2]*simbus.Port
	for i := range ports {
		ports[i] = seg.AddPort("b.eth0", d, func(f *simbus.Frame) error { copy(bytes, f.Parts[1]); return nil })
	}
	f := simbus.Frame{Parts: [][]byte{frame(0, 1), make([]byte, 1500)}}
	back := simbus.Frame{Parts: [][]byte{frame(1, 0), make([]byte, 1500)}}
	ports[1].Send(&back)
	b.ReportAllocs()
	for b.Loop() {
		ports[0].Send(&f)
	}
}
