package ether_test

import (
	"fmt"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
)

// TestTaps: a segment's tap sees a frame when the switch takes it, a port's tap
// when the board sends or receives it.
func TestTaps(t *testing.T) {
	cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Latency: 50 * time.Microsecond, Bandwidth: 1e12}})
	s := stations(t, cal, seg, 2)
	var seen []string
	tap := func(where string) simbus.TapFunc {
		return func(at simbus.Time, from string, arrives bool, frame []byte, length int) {
			name := "-"
			if arrives {
				name = "here"
			}
			seen = append(seen, fmt.Sprintf("%s: %s %s>%s %d %q", where, at, from, name, length, frame[14:]))
		}
	}
	remove := seg.Tap(tap("lan"))
	s[0].port.Tap(tap("b0"))
	s[1].port.Tap(tap("b1"))
	s[0].send(t, 0, 1, "one")
	advance(t, cal, time.Millisecond)
	remove()
	s[1].send(t, 1, 0, "two")
	advance(t, cal, time.Millisecond)
	want := []string{
		`b0: 0.000000000s b0.eth0>- 17 "one"`,
		`lan: 0.000025000s b0.eth0>- 17 "one"`,
		`b1: 0.000050000s b0.eth0>here 17 "one"`,
		`b1: 0.001000000s b1.eth0>- 17 "two"`,
		`b0: 0.001050000s b1.eth0>here 17 "two"`,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("taps (-want +got):\n%s", diff)
	}
}
