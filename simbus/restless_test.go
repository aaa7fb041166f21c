package simbus

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// restless is a guest of a fake kernel that never ends its turn by itself.
type restless struct {
	d    *Domain
	lost chan error
	stop atomic.Bool
}

// startRestless begins a guest that calls busy in its turn again and again.
func startRestless(t *testing.T, c *Calendar, busy func(d *Domain, k *fakeKernel)) *restless {
	t.Helper()
	d, err := c.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "time.sock")
	fd, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &restless{d: d, lost: make(chan error, 1)}
	d.Do(func() {
		var g *Guest
		if g, err = d.AddGuest(fd, 0); err == nil {
			g.OnGone = func(err error) { r.stop.Store(true); r.lost <- err }
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var k fakeKernel
		if err := k.connect(path); err != nil {
			t.Error(err)
			return
		}
		for !r.stop.Load() {
			busy(d, &k)
		}
	}()
	t.Cleanup(func() {
		r.stop.Store(true)
		<-ended
		c.Close()
	})
	return r
}

// talk says something without ending the turn.
func talk(_ *Domain, k *fakeKernel) {
	turn := k.word32(clientAt(shmGuest) + clientOffTurn)
	if atomic.OrUint32(turn, turnMessage)&turnSleep != 0 {
		futex(turn, futexWake, 1, 0)
	}
}

// TestTalkerEnds has a guest that talks without end at one moment, and a caller that
// wants the end.
func TestTalkerEnds(t *testing.T) {
	c := NewVirtual()
	r := startRestless(t, c, talk)
	ctx, cancel := context.WithCancel(context.Background())
	go r.d.Look(cancel) // it can be looked at, and once it was all is to end
	if _, err := c.Advance(ctx, Time(time.Second), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Advance: %v, want that it was cancelled", err)
	}
	if err := <-r.lost; err == nil || !strings.Contains(err.Error(), "still computing when the appliance ended") {
		t.Errorf("the guest was lost by %v", err)
	}
	if _, err := c.Advance(context.Background(), Time(time.Second), nil); err != nil || c.Now() != Time(time.Second) {
		t.Errorf("without the guest: %v, at %s", err, c.Now())
	}
}

// TestTalkerStalls has the same guest given up after the limit, though it is not silent.
func TestTalkerStalls(t *testing.T) {
	c := NewVirtual()
	c.StallLimit = 50 * time.Millisecond
	r := startRestless(t, c, talk)
	if _, err := c.Advance(context.Background(), Time(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-r.lost; err == nil || !strings.Contains(err.Error(), "virtual time has stood at 0.000000000s") {
		t.Errorf("the guest was lost by %v", err)
	}
}

// TestTalkerWithEvents has a guest whose talk are events, all at one moment.
func TestTalkerWithEvents(t *testing.T) {
	c := NewVirtual()
	n := 0
	c.Subscribe(func(e *Event) { n++ })
	r := startRestless(t, c, talk)
	r.d.Look(func() {}) // nobody advances: it is done here
	emit := func() {
		for range 1 << 15 {
			r.d.Emit(Event{Kind: kindDevice})
		}
	}
	var again func()
	again = func() {
		if emit(); !r.stop.Load() {
			go r.d.Look(again)
		}
	}
	go r.d.Look(again)
	if _, err := c.Advance(context.Background(), Time(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-r.lost; err == nil || !strings.Contains(err.Error(), "events at virtual time 0.000000000s") {
		t.Errorf("the guest was lost by %v", err)
	}
	if n < maxEvents {
		t.Errorf("%d events of more than %d were delivered", n, maxEvents)
	}
}

// TestTalkerWithLongEvents has few of them, and long ones.
func TestTalkerWithLongEvents(t *testing.T) {
	c := NewVirtual()
	c.Subscribe(func(*Event) {})
	r := startRestless(t, c, talk)
	long := Text("line", strings.Repeat("x", 20<<20))
	var again func()
	again = func() {
		if r.d.Emit(Event{Kind: "console", Attrs: []Attr{long}}); !r.stop.Load() {
			go r.d.Look(again)
		}
	}
	go r.d.Look(again)
	if _, err := c.Advance(context.Background(), Time(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-r.lost; err == nil || !strings.Contains(err.Error(), "more than 64 MiB of events at virtual time 0.000000000s") {
		t.Errorf("the guest was lost by %v", err)
	}
}

// TestRunnerStops has a guest that uses its time without ending its turn, as one in a
// loop of system calls does: it is asked to stop, and is not lost.
func TestRunnerStops(t *testing.T) {
	c := NewVirtual()
	ctx, cancel := context.WithCancel(context.Background())
	var own atomic.Int64 // the guest's time, which it does not tell as long as it need not
	r := startRestless(t, c, func(d *Domain, k *fakeKernel) {
		at := own.Load()
		if uint64(at+100) < atomic.LoadUint64(k.word64(shmOffFreeUntil)) {
			own.Store(at + 100)
			if at == 1_000_000 {
				cancel()
			}
			return
		}
		if now := k.wait(Time(at + 100)); now < Time(own.Load()) {
			t.Errorf("at %s the guest is told that it is %s: time goes backwards", Time(own.Load()), now)
		}
		own.Store(max(own.Load(), at+100))
	})
	const until = Time(time.Hour)
	if _, err := c.Advance(ctx, until, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Advance: %v, want that it was cancelled", err)
	}
	select {
	case err := <-r.lost:
		t.Errorf("the guest was lost: %v", err)
	default:
	}
	var at Time
	var state guestState
	r.d.Do(func() {
		at = r.d.Now()
		r.stop.Store(true)
		state = r.d.guests[0].state
		r.d.guests[0].resume(at) // let it see that
	})
	if at <= Time(time.Millisecond) || at >= until || state != guestWaiting {
		t.Errorf("it stopped at %s in state %d, want some time after 1 ms, and waiting", at, state)
	}
}

// TestMomentWithoutEnd has models that change each other back and forth in no time.
func TestMomentWithoutEnd(t *testing.T) {
	c := NewVirtual()
	d, err := c.AddDomain("ring")
	if err != nil {
		t.Fatal(err)
	}
	var turn func()
	turn = func() { d.At(d.Now(), turn) }
	d.Do(turn)
	_, err = c.Advance(context.Background(), Time(time.Second), nil)
	if err == nil || !strings.Contains(err.Error(), "ring: 1000000 changes at virtual time 0.000000000s") {
		t.Errorf("Advance: %v", err)
	}
	c.Close()
}
