package ether_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
)

// texts are what a station got, without the times.
func (s *station) texts() (list []string) {
	for _, g := range s.got {
		_, text, _ := strings.Cut(g, " ")
		list = append(list, text)
	}
	return list
}

// stream sends numbered frames, one in a period, and returns what came of them.
func stream(t *testing.T, cal *simbus.Calendar, from, to *station, n int, period time.Duration) []string {
	t.Helper()
	for i := range n {
		from.send(t, 0, 1, fmt.Sprintf("%04d", i))
		advance(t, cal, period)
	}
	advance(t, cal, time.Second)
	return to.texts()
}

func TestJitterKeepsOrderAndBounds(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 10 * time.Millisecond, Jitter: 4 * time.Millisecond, Bandwidth: 1e12}, Seed: 1})
	s := stations(t, cal, seg, 2)
	var times [200]simbus.Time
	for i := range times {
		times[i] = cal.Now()
		s[0].send(t, 0, 1, fmt.Sprint(i))
		advance(t, cal, 20*time.Millisecond)
	}
	seen := make(map[time.Duration]bool)
	for i, g := range s[1].got {
		var at, sec int64
		if _, err := fmt.Sscanf(g, "%d.%ds", &sec, &at); err != nil {
			t.Fatal(err)
		}
		d := simbus.Time(sec*1e9 + at).Sub(times[i])
		if d < 6*time.Millisecond || d > 14*time.Millisecond {
			t.Errorf("frame %d took %s, outside 10 ms ± 4 ms", i, d)
		}
		seen[d.Round(time.Millisecond)] = true
	}
	if len(s[1].got) != len(times) || len(seen) < 7 {
		t.Errorf("%d frames arrived, with %d different delays in ms", len(s[1].got), len(seen))
	}
	s[1].got = nil
	got := stream(t, cal, s[0], s[1], 200, 100*time.Microsecond) // much closer than the jitter
	for i, text := range got {
		if text != fmt.Sprintf("%04d", i) {
			t.Fatalf("frame %s arrived as number %d", text, i)
		}
	}
}

func TestTokenBucket(t *testing.T) {
	// 1000 bytes with everything take 1 ms; 3000 may go at once.
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 10 * time.Microsecond, Bandwidth: 8e6, Burst: 3000, Queue: 2500}})
	s := stations(t, cal, seg, 2)
	text := strings.Repeat("x", 1000-14-24)
	for range 8 {
		s[0].send(t, 0, 1, text)
	}
	advance(t, cal, 10*time.Millisecond)
	var times []string
	for _, g := range s[1].got {
		times = append(times, g[:12])
	}
	// The fourth is on the wire as soon as it comes; two more wait for it.
	want := []string{"0.000010000s", "0.000010000s", "0.000010000s", "0.001010000s", "0.002010000s", "0.003010000s"}
	if diff := cmp.Diff(want, times); diff != "" {
		t.Errorf("arrivals (-want +got):\n%s", diff)
	}
	rx := s[1].port.Counters(ether.Rx)
	if d, high := rx.Drops[ether.DropQueue].Load(), rx.QueueHigh.Load(); d != 2 || high != 2*976 {
		t.Errorf("%d dropped, at most %d bytes waited; want 2 and %d", d, high, 2*976)
	}
	advance(t, cal, time.Second)
	s[1].got = nil
	for range 3 {
		s[0].send(t, 0, 1, text)
	}
	advance(t, cal, time.Millisecond)
	if len(s[1].got) != 3 || s[1].got[2][:12] != "1.010010000s" {
		t.Errorf("after a rest the bucket is not full again: %.40q", s[1].got)
	}
}

// TestShortestFrame: the lookahead counts the time of the shortest frame on the wire,
// and does not hold back one that comes as soon as that, before or after a change.
func TestShortestFrame(t *testing.T) {
	const latency, size = 10 * time.Microsecond, 84 // with what is around it on the wire; a byte takes 1 us
	for _, c := range []struct {
		burst int64
		want  string
	}{{0, "0.000094000s"}, {50, "0.000044000s"}, {size, "0.000010000s"}, {2 * size, "0.000010000s"}} {
		i := ether.Impairment{Latency: latency, Bandwidth: 8e6, Burst: c.burst}
		cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: i})
		s := stations(t, cal, seg, 2)
		s[0].send(t, 0, 1, "")
		advance(t, cal, time.Second)
		slow := i
		slow.Burst = 0
		seg.SetImpairment(slow)
		seg.SetImpairment(i)
		s[0].send(t, 0, 1, "")
		advance(t, cal, time.Second)
		if len(s[1].got) != 2 || s[1].got[0][:12] != c.want || s[1].got[1][:12] != "1"+c.want[1:] {
			t.Errorf("a burst of %d bytes: frames come at %.14q, want %s and a second later", c.burst, s[1].got, c.want)
		}
	}
}

func TestChance(t *testing.T) {
	tests := []struct {
		name string
		i    ether.Impairment
		way  ether.Direction
		want func(t *testing.T, got []string, c *ether.Counters)
	}{
		{"loss", ether.Impairment{Loss: 0.2}, ether.Tx, func(t *testing.T, got []string, c *ether.Counters) {
			if lost := c.Drops[ether.DropLost].Load(); int(lost)+len(got) != 500 || lost < 60 || lost > 140 {
				t.Errorf("%d arrived, %d were lost", len(got), lost)
			}
		}},
		{"duplicate", ether.Impairment{Duplicate: 0.2}, ether.Rx, func(t *testing.T, got []string, c *ether.Counters) {
			if n := c.Duplicated.Load(); len(got) != 500+int(n) || n < 60 || n > 140 || c.Frames.Load() != 500+n {
				t.Errorf("%d arrived, %d were duplicated, %d counted", len(got), n, c.Frames.Load())
			}
			for i := 1; i < len(got); i++ {
				if got[i] < got[i-1] {
					t.Errorf("%s came after %s", got[i], got[i-1])
				}
			}
		}},
		{"reorder", ether.Impairment{Reorder: 0.2}, ether.Tx, func(t *testing.T, got []string, c *ether.Counters) {
			late := 0
			for i := 1; i < len(got); i++ {
				if got[i] < got[i-1] {
					late++
				}
			}
			if n := c.Reordered.Load(); len(got) != 500 || int(n) != late || n < 60 || n > 140 {
				t.Errorf("%d arrived, %d of them late, %d counted", len(got), late, n)
			}
		}},
		{"corrupt", ether.Impairment{Corrupt: 0.2}, ether.Rx, func(t *testing.T, got []string, c *ether.Counters) {
			wrong := 0
			for i, text := range got {
				if text != fmt.Sprintf("%04d", i) {
					wrong++
				}
			}
			if n := c.Corrupted.Load(); len(got) != 500 || int(n) != wrong || n < 60 || n > 140 {
				t.Errorf("%d arrived, %d of them damaged, %d counted", len(got), wrong, n)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cal, seg := virtualSegment(t, ether.SegmentConfig{Seed: 1})
			s := stations(t, cal, seg, 2)
			port := s[tt.way].port // tx of the sender, rx of the receiver
			tt.i.Latency = 10 * time.Microsecond
			port.SetImpairment(tt.way, tt.i)
			got := stream(t, cal, s[0], s[1], 500, time.Millisecond)
			tt.want(t, got, port.Counters(tt.way))
		})
	}
}

// TestReorderLetsGo: a frame that no other comes to overtake goes on alone.
func TestReorderLetsGo(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 20 * time.Microsecond, Bandwidth: 1e12}})
	s := stations(t, cal, seg, 2)
	s[0].port.SetImpairment(ether.Tx, ether.Impairment{Latency: 10 * time.Microsecond, Reorder: 1})
	s[0].send(t, 0, 1, "alone")
	advance(t, cal, time.Second)
	if diff := cmp.Diff([]string{"0.010020000s alone"}, s[1].got); diff != "" || s[0].port.Counters(ether.Tx).Reordered.Load() != 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPortsHaveChanceOfTheirOwn: what others send changes nothing for a port.
func TestPortsHaveChanceOfTheirOwn(t *testing.T) {
	run := func(disturb bool) []string {
		cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Loss: 0.3}, Seed: 3})
		s := stations(t, cal, seg, 4)
		s[1].send(t, 1, -1, "here I am")
		s[3].send(t, 3, -1, "here I am")
		advance(t, cal, time.Millisecond)
		s[1].got = nil
		for i := range 200 {
			s[0].send(t, 0, 1, fmt.Sprint(i))
			if disturb {
				s[2].send(t, 2, 3, "noise")
				s[3].send(t, 3, 2, "noise")
			}
			advance(t, cal, time.Millisecond)
		}
		return s[1].got
	}
	if diff := cmp.Diff(run(false), run(true)); diff != "" {
		t.Errorf("others' traffic changes what arrives (-without +with):\n%s", diff)
	}
}

// TestChangesWhileItRuns: settings hold from the moment they are made, and how
// far boards may run ahead of each other follows.
func TestChangesWhileItRuns(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 10 * time.Millisecond, Bandwidth: 1e12}})
	s := stations(t, cal, seg, 2)
	s[1].port.Tap(func(_ simbus.Time, _ string, arrives bool, f []byte, _ int) { // answers what arrives
		if arrives && !bytes.HasSuffix(f, []byte("again")) {
			s[1].port.Send(&ether.Frame{Parts: [][]byte{frame(1, 0), []byte("again")}})
		}
	})
	step := func(l time.Duration) {
		i := seg.Impairment()
		i.Latency = l
		seg.SetImpairment(i)
		s[0].send(t, 0, 1, "x")
		advance(t, cal, 100*time.Millisecond)
	}
	step(10 * time.Millisecond)
	step(2 * time.Microsecond)
	step(0) // as little as there can be
	step(30 * time.Millisecond)
	want := []string{"0.020000000s again", "0.100004000s again", "0.200000004s again", "0.360000000s again"}
	if diff := cmp.Diff(want, s[0].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestShorterLatencyOvertakesNothing: what is under way keeps its place.
func TestShorterLatencyOvertakesNothing(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 50 * time.Millisecond}})
	s := stations(t, cal, seg, 2)
	s[0].send(t, 0, 1, "first")
	seg.SetImpairment(ether.Impairment{Latency: time.Microsecond})
	s[0].send(t, 0, 1, "second")
	advance(t, cal, 30*time.Millisecond)
	seg.SetImpairment(ether.Impairment{})
	s[0].send(t, 0, 1, "third")
	advance(t, cal, time.Second)
	if diff := cmp.Diff([]string{"first", "second", "third"}, s[1].texts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
