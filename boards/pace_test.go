package boards

import (
	"context"
	"errors"
	"testing"
	"time"

	"backplane/simbus"
)

// bare is a running appliance of one segment and a detached gateway, without boards.
func bare(t *testing.T) *Running {
	t.Helper()
	r := &Running{cal: simbus.NewVirtual(), opts: Options{Virtual: true, Detached: true}, links: make(map[string]link)}
	if err := r.addSegment(&Segment{Name: "lan"}); err != nil {
		t.Fatal(err)
	}
	if err := r.addGateway(&Gateway{Name: "outside", Segment: "lan"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestPacedTimeKeepsToTheHosts(t *testing.T) {
	r := bare(t)
	r.pace = newPacer(true)
	begin := time.Now()
	var ahead time.Duration
	for range 20 {
		if _, err := r.Advance(t.Context(), r.Now().Add(3*time.Millisecond/2), nil); err != nil {
			t.Fatal(err)
		}
		ahead = max(ahead, r.Now().Sub(0)-time.Since(begin))
	}
	if ahead > 0 {
		t.Errorf("virtual time was %s ahead of the host's clock", ahead)
	}
	if got := r.Now(); got != simbus.Time(30*time.Millisecond) {
		t.Errorf("after 20 times 1.5 ms it is %s", got)
	}
}

// TestPacedLagIsNotCaughtUp stands still for a minute, as a slow host would.
func TestPacedLagIsNotCaughtUp(t *testing.T) {
	p := newPacer(true)
	if _, err := p.next(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	p.last = begin.Add(-time.Minute)
	virtual := time.Duration(0)
	for range 20 {
		d, err := p.next(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if d > p.most {
			t.Errorf("a slice of %s, and at most %s is right", d, p.most)
		}
		virtual += d
	}
	if passed := time.Since(begin) + p.most; virtual > passed {
		t.Errorf("after a minute's lag virtual time went on by %s while %s passed", virtual, passed)
	}
}

func TestPacedAdvanceEnds(t *testing.T) {
	r := bare(t)
	r.pace = newPacer(false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Advance(ctx, simbus.Never, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Advance of a context that has ended returns %v", err)
	}
}

// TestInjectEnters gives a segment a frame from outside, as a replay does.
func TestInjectEnters(t *testing.T) {
	r := bare(t)
	var seen []string
	r.cal.Subscribe(func(e *simbus.Event) { seen = append(seen, string(e.AppendJSON(nil))) })
	if _, err := r.Advance(t.Context(), 5000, nil); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 60)
	frame[0], frame[6] = 0x02, 0x04
	for _, in := range []Input{{Do: DoFrame, Path: "outside", Data: frame},
		{Do: DoGateway, Path: "outside", Event: []byte(`{"action":"dns"}`)}} {
		if err := r.Inject(in); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Inject(Input{Do: DoFrame, Path: "inside"}); err == nil {
		t.Error("a gateway that is not there took something")
	}
	if _, err := r.Advance(t.Context(), 1_000_000, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{`{"t":5000,"part":"outside","kind":"gateway","action":"dns"}`,
		`{"t":15000,"part":"lan","kind":"frame","from":"outside","length":60,"summary":"type 0x0000, 46 bytes"}`}
	if len(seen) != len(want) {
		t.Fatalf("events are %q, want %q", seen, want)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("event %d is %s, want %s", i, seen[i], want[i])
		}
	}
}
