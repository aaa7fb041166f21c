package ether_test

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"
)

// TestModesKeepOrder sends without a pause in real time while the segment goes
// from the direct way to impairments and back. Nothing is lost, and each
// sender's frames stay in order.
func TestModesKeepOrder(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const senders, frames = 3, 20000
	var mu sync.Mutex
	var next [senders]uint32
	behind := func(i int, n uint32) bool { // like a guest, a sender does not run away from its receiver
		mu.Lock()
		defer mu.Unlock()
		return n-next[i] > 200
	}
	received := make(chan struct{})
	sink, err := cal.AddDomain("sink")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	seg.AddPort("sink.eth0", sink, func(f *ether.Frame) error {
		mu.Lock()
		defer mu.Unlock()
		b := f.Parts[len(f.Parts)-1]
		from, n := b[len(b)-5], binary.BigEndian.Uint32(b[len(b)-4:])
		if next[from] != n {
			t.Errorf("from %d came frame %d, want %d", from, n, next[from])
		}
		next[from] = n + 1
		if total++; total == senders*frames {
			close(received)
		}
		return nil
	})
	var ports [senders]*ether.Port
	domains := make([]*simbus.Domain, senders)
	for i := range ports {
		if domains[i], err = cal.AddDomain("s"); err != nil {
			t.Fatal(err)
		}
		ports[i] = seg.AddPort("s.eth0", domains[i], func(*ether.Frame) error { return nil })
	}
	sent := make(chan struct{}, senders)
	for i, d := range domains {
		n := uint32(0)
		var batch func() // leaves its goroutine to others after each
		batch = func() {
			for end := min(n+50, frames); n < end && !behind(i, n); n++ {
				ports[i].Send(&ether.Frame{Parts: [][]byte{frame(i, -1), binary.BigEndian.AppendUint32([]byte{byte(i)}, n)}})
			}
			if n < frames {
				d.Post(batch)
			} else {
				sent <- struct{}{}
			}
		}
		d.Do(batch)
	}
	modes := []func(){
		func() {
			seg.SetImpairment(ether.Impairment{Latency: 300 * time.Microsecond, Jitter: 200 * time.Microsecond})
		},
		func() { seg.SetImpairment(ether.Impairment{}) },
		func() { ports[0].SetImpairment(ether.Tx, ether.Impairment{Latency: time.Millisecond}) },
		func() { seg.SetImpairment(ether.Impairment{}) },
	}
	changes := 0
	for left := senders; left > 0; {
		select {
		case <-sent:
			left--
		default:
			modes[changes%len(modes)]()
			changes++
		}
	}
	seg.SetImpairment(ether.Impairment{})
	<-received
	if !seg.Direct() {
		t.Error("the segment is not direct in the end")
	}
	t.Logf("%d changes", changes)
}

// TestCorruptionDoesNotHide: what is left to be cut up and summed is so before
// anything happens to it.
func TestCorruptionDoesNotHide(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var ports [2]*ether.Port
	var domains [2]*simbus.Domain
	type arrival struct {
		n int
		o ether.Offload
	}
	arrived := make(chan arrival, 10)
	for i := range ports {
		if domains[i], err = cal.AddDomain("b"); err != nil {
			t.Fatal(err)
		}
		ports[i] = seg.AddPort("b.eth0", domains[i], func(f *ether.Frame) error {
			arrived <- arrival{f.Len(), f.Offload}
			return nil
		})
	}
	b, o := tcpFrame(t, false, false, 3500)
	send := func() {
		domains[0].Do(func() { ports[0].Send(&ether.Frame{Parts: [][]byte{b}, Offload: o}) })
	}
	send()
	if a := <-arrived; a != (arrival{len(b), o}) {
		t.Errorf("on the direct way a frame of %d bytes arrived with %+v", a.n, a.o)
	}
	ports[1].SetImpairment(ether.Rx, ether.Impairment{Corrupt: 1, Bandwidth: 1e9})
	send()
	for i, want := range []int{1066, 1066, 1066, 566} {
		if a := <-arrived; a != (arrival{n: want}) {
			t.Errorf("frame %d has %d bytes and %+v, want %d and no work left", i, a.n, a.o, want)
		}
	}
	if n := ports[1].Counters(ether.Rx).Corrupted.Load(); n != 4 {
		t.Errorf("%d frames were damaged, want 4", n)
	}
}

// TestNothingMissed: what happens between two calls of Advance in real time is
// shown to the second, whose caller may have looked before it happened.
func TestNothingMissed(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	is := func(kind string) func(*simbus.Event) bool {
		return func(e *simbus.Event) bool { return e.Kind == kind }
	}
	for _, kind := range []string{"a", "b"} {
		cal.Emit(simbus.Event{Kind: kind})
		if stopped, err := cal.Advance(t.Context(), cal.Now().Add(time.Minute), is(kind)); !stopped || err != nil {
			t.Fatalf("event %s was missed (%v)", kind, err)
		}
	}
	if stopped, err := cal.Advance(t.Context(), cal.Now().Add(time.Millisecond), is("a")); stopped || err != nil {
		t.Fatalf("an event was shown twice (%v)", err)
	}
}
