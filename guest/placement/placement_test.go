package placement

import (
	"testing"
	"time"

	"backplane/guest"
)

// at is a place on a CPU with one kernel that ran and waited for these parts of a period.
func at(cpu int, ran, waited float64) *place {
	load := func(ran, waited float64) *thread {
		return &thread{Load: guest.Load{Ran: time.Duration(ran * float64(lookEvery)), Waited: time.Duration(waited * float64(lookEvery))}}
	}
	return &place{cpu: cpu, last: -1, pause: firstPause, thread: load(0, 0), kernels: []*kernel{{thread: load(ran, waited), certain: true}}}
}

func TestPlacementDecides(t *testing.T) {
	now := time.Now()
	tried := at(-1, 0.2, 0)
	tried.retry = now.Add(-time.Second)
	found := at(-1, 0.2, 0)
	found.last = 0
	unsure := at(0, 0.5, 0.5)
	unsure.kernels[0].certain = false
	own := at(0, 0.5, 0.5)
	own.kernels[0].user.Ran = lookEvery / 2
	program := at(0, 0.1, 0.1)
	program.kernels[0].user = guest.Load{Ran: lookEvery / 5, Waited: lookEvery / 2}
	paused := at(-1, 0.2, 0)
	paused.retry = now.Add(time.Second)
	for _, c := range []struct {
		name   string
		places []*place
		want   map[int]int // the index of a place: its new CPU
	}{
		{"quiet", []*place{at(0, 0.1, 0), at(1, 0.1, 0)}, nil},
		{"busy, each on its own", []*place{at(0, 1, 0), at(1, 1, 0)}, nil},
		{"a stranger", []*place{at(0, 0.5, 0.5), at(1, 0.1, 0)}, map[int]int{0: -1}},
		{"they wait for each other", []*place{at(0, 0.5, 0.5), at(0, 0.5, 0.5), at(1, 0.9, 0)}, nil},
		{"they wait for each other and a stranger", []*place{at(0, 0.3, 0.7), at(0, 0.3, 0.7), at(1, 0.9, 0)}, map[int]int{0: -1, 1: -1}},
		{"room elsewhere", []*place{at(0, 0.6, 0.4), at(0, 0.4, 0.6), at(1, 0.1, 0)}, map[int]int{1: 1}},
		{"no use in changing sides", []*place{at(0, 1, 0), at(1, 0.1, 0)}, nil},
		{"time to try again", []*place{tried, at(0, 0.3, 0), at(1, 0.2, 0)}, map[int]int{0: 1}},
		{"the host knows better", []*place{found, at(0, 0.3, 0), at(1, 0.2, 0)}, map[int]int{0: 0}},
		{"a stranger beside a board with little to do", []*place{at(0, 0.03, 0.02), at(1, 0.1, 0)}, map[int]int{0: -1}},
		{"it is not known yet who that was", []*place{unsure, at(1, 0.1, 0)}, nil},
		{"its own user space", []*place{own, at(1, 0.6, 0)}, nil},
		{"a stranger beside its user space", []*place{program, at(1, 0.6, 0)}, map[int]int{0: -1}},
		{"noise", []*place{at(0, 0.01, 0.004), at(1, 0.1, 0)}, nil},
		{"not yet", []*place{paused, at(0, 0.3, 0), at(1, 0.2, 0)}, nil},
	} {
		got := decide(c.places, []int{0, 1}, now, lookEvery)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d moves, want %d", c.name, len(got), len(c.want))
		}
		for i, cpu := range c.want {
			if to, ok := got[c.places[i]]; !ok || to != cpu {
				t.Errorf("%s: place %d goes to %d (%v), want %d", c.name, i, to, ok, cpu)
			}
		}
	}
}

// TestPlacementLosesPatience: a board that finds strangers again and again is
// tried less and less often, and is trusted again after a while of peace.
func TestPlacementLosesPatience(t *testing.T) {
	b, now := at(0, 0.2, 0.8), time.Now()
	for want := firstPause; want < longPause; want *= 2 {
		if moves := decide([]*place{b}, []int{0, 1}, now, lookEvery); moves[b] != -1 || b.retry != now.Add(want) {
			t.Fatalf("goes to %v until %v, want freedom for %v", moves, b.retry.Sub(now), want)
		}
	}
	for range 20 * int(longPause/lookEvery) {
		b.kernels[0].Waited = 0
		decide([]*place{b}, []int{0, 1}, now, lookEvery)
	}
	if b.pause != firstPause {
		t.Errorf("after peace for long it would be free for %v, want %v", b.pause, firstPause)
	}
}
