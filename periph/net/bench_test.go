package net_test

import (
	"fmt"
	"testing"

	"backplane/periph/net"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// BenchmarkDirect sends frames from one guest's memory to another's, a ring of
// them at a time. Nothing on that way allocates.
func BenchmarkDirect(b *testing.B) {
	for _, size := range []int{60, 1514, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			send := direct(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for sent := 0; sent < b.N; {
				sent += send()
			}
		})
	}
}

// TestDirectAllocatesNothing is what the benchmark says, as a test.
func TestDirectAllocatesNothing(t *testing.T) {
	for _, size := range []int{60, 1514, 64 << 10} {
		send := direct(t, size)
		send()
		if n := testing.AllocsPerRun(100, func() { send() }); n != 0 {
			t.Errorf("a batch of frames of %d bytes takes %v allocations, want none", size, n)
		}
	}
}

// direct is two guests on a direct segment, and a function that sends a ring of
// frames of that size and says how many that were.
func direct(tb testing.TB, size int) (send func() int) {
	cal := simbus.NewReal()
	tb.Cleanup(cal.Close)
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	const ring = 16
	var d [2]*virtiotest.Driver
	for i := range d {
		domain, err := cal.AddDomain("b")
		if err != nil {
			tb.Fatal(err)
		}
		nic := net.New("eth0", []byte{2, 0, 0, 0, 0, byte(i)})
		nic.Offload = true
		nic.Port = seg.AddPort("b.eth0", domain, nic.Receive)
		d[i] = virtiotest.Start(tb, nic, ring, virtio.FeatureEventIdx)
	}
	for range ring {
		f := frame(size)
		d[0].Rings[1].Add([][]byte{append(make([]byte, 12), f...)}, nil)
		d[1].Rings[0].Add(nil, []int{12 + size})
	}
	d[1].Kick(0)
	return func() int {
		d[0].Kick(1)
		n := d[0].Rings[1].Reuse()
		if got := d[1].Rings[0].Reuse(); got != n || n != ring || d[0].Failure != nil || d[1].Failure != nil {
			tb.Fatalf("%d frames sent, %d received: %v, %v", n, got, d[0].Failure, d[1].Failure)
		}
		return n
	}
}
