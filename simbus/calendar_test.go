package simbus

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Kinds of events that tests have.
const (
	kindDevice = "device"
	kindGuest  = "guest"
	kindI2C    = "i2c"
	kindStep   = "step"
)

func newVirtual(t *testing.T, names ...string) (*Calendar, []*Domain) {
	t.Helper()
	c := NewVirtual()
	var ds []*Domain
	for _, n := range names {
		d, err := c.AddDomain(n)
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, d)
	}
	t.Cleanup(c.Close)
	return c, ds
}

func advance(t *testing.T, c *Calendar, until Time) {
	t.Helper()
	if _, err := c.Advance(context.Background(), until, nil); err != nil {
		t.Fatal(err)
	}
}

func TestCallsHappenInOrder(t *testing.T) {
	c, ds := newVirtual(t, "a")
	var got []string
	note := func(s string) func() { return func() { got = append(got, fmt.Sprint(s, "@", ds[0].Now())) } }
	ds[0].Do(func() {
		ds[0].At(20, note("late"))
		ds[0].At(10, note("first"))
		ds[0].At(10, note("second"))
		stopped := ds[0].At(15, note("never"))
		if !stopped.Stop() || stopped.Stop() {
			t.Error("a timer stops once")
		}
		ds[0].At(30, note("at the end: not yet"))
	})
	advance(t, c, 30)
	want := []string{"first@0.000000010s", "second@0.000000010s", "late@0.000000020s"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if c.Now() != 30 || ds[0].Now() != 30 {
		t.Errorf("now %s and %s, want 30 ns", c.Now(), ds[0].Now())
	}
}

func TestNilTimerStops(t *testing.T) {
	var none *Timer
	if none.Stop() {
		t.Error("a timer that was never started has nothing to stop")
	}
}

// calls are crossings on which functions pass that are to be called.
type calls map[[2]*Domain]*Crossing[func()]

func (c calls) join(from, to *Domain, least time.Duration) {
	c[[2]*Domain{from, to}] = NewCrossing(from, to, least, func(f func()) { f() })
}

func (c calls) send(from, to *Domain, delay time.Duration, f func()) {
	c[[2]*Domain{from, to}].Send(from.Now().Add(delay), f)
}

// TestPingPong passes a ball between two domains: each hit must happen one
// delay after the one before, though each domain could run ahead by itself.
func TestPingPong(t *testing.T) {
	c, ds := newVirtual(t, "a", "b")
	ways := make(calls)
	const delay = 50 * time.Microsecond
	ways.join(ds[0], ds[1], delay)
	ways.join(ds[1], ds[0], delay)
	var hits []Time
	var hit func(from, to *Domain) func()
	hit = func(from, to *Domain) func() {
		return func() {
			hits = append(hits, from.Now())
			ways.send(from, to, delay, hit(to, from))
		}
	}
	// Both have plenty to do of their own, in steps that are no multiple of the delay.
	for i, d := range ds {
		var tick func()
		tick = func() { After(d, time.Duration(7000+i*4000), tick) }
		d.Do(tick)
	}
	ds[0].Do(hit(ds[0], ds[1]))
	advance(t, c, Time(time.Second))
	for i, h := range hits {
		if want := Time(i) * Time(delay); h != want {
			t.Fatalf("hit %d at %s, want %s", i, h, want)
		}
	}
	if want := int(time.Second / delay); len(hits) != want {
		t.Fatalf("%d hits in a second, want %d", len(hits), want)
	}
	for i, h := range hits {
		if want := Time(i) * Time(delay); h != want {
			t.Fatalf("hit %d at %s, want %s", i, h, want)
		}
	}
}

// TestMessagesNeverArriveLate sends at random between domains that keep busy
// and checks that each call happens at exactly its time.
func TestMessagesNeverArriveLate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := NewVirtual()
		ways := make(calls)
		defer c.Close()
		n := rapid.IntRange(2, 5).Draw(rt, "domains")
		var ds []*Domain
		for i := range n {
			d, err := c.AddDomain(fmt.Sprint(i))
			if err != nil {
				rt.Fatal(err)
			}
			ds = append(ds, d)
		}
		delays := make(map[[2]int]time.Duration)
		for i := range n {
			for j := range n {
				if i != j && rapid.Bool().Draw(rt, "linked") {
					delays[[2]int{i, j}] = time.Duration(rapid.IntRange(1, 300).Draw(rt, "delay"))
					ways.join(ds[i], ds[j], delays[[2]int{i, j}])
				}
			}
		}
		last := make([]Time, n)
		arrive := func(j int, want Time) func() {
			return func() {
				if got := ds[j].Now(); got != want {
					rt.Errorf("domain %d got a message of %s at %s", j, want, got)
				}
				if want < last[j] {
					rt.Errorf("domain %d went back from %s to %s", j, last[j], want)
				}
				last[j] = want
			}
		}
		for i := range n {
			step := time.Duration(rapid.IntRange(1, 100).Draw(rt, "step"))
			var tick func()
			tick = func() {
				now := ds[i].Now()
				last[i] = max(last[i], now)
				for j := range n {
					if delay, ok := delays[[2]int{i, j}]; ok {
						ways.send(ds[i], ds[j], delay, arrive(j, now.Add(delay)))
					}
				}
				After(ds[i], step, tick)
			}
			ds[i].Do(tick)
		}
		if _, err := c.Advance(context.Background(), 3000, nil); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestEventsComeInOrderOfTime(t *testing.T) {
	c, ds := newVirtual(t, "a", "b")
	ways := make(calls)
	ways.join(ds[0], ds[1], time.Millisecond) // a runs ahead of b, and b of a
	ways.join(ds[1], ds[0], time.Millisecond)
	var got []Time
	c.Subscribe(func(e *Event) { got = append(got, e.Time) })
	for i, d := range ds {
		var tick func()
		tick = func() {
			d.Emit(Event{Kind: kindStep})
			After(d, time.Duration(300+i*100)*time.Microsecond, tick)
		}
		d.Do(tick)
	}
	advance(t, c, Time(100*time.Millisecond))
	if !slices.IsSorted(got) {
		t.Error("events out of order")
	}
	if want := 334 + 250; len(got) != want {
		t.Errorf("%d events, want %d", len(got), want)
	}
}

// TestEventsAreHandedOn has far more happen in one domain than it keeps, and at no moment
// much, before anything else is due: what has happened is told meanwhile, all of it and once.
func TestEventsAreHandedOn(t *testing.T) {
	c, ds := newVirtual(t, "a", "b")
	const all = 5 * handOn
	said, heard, most := 0, 0, 0
	c.Subscribe(func(e *Event) {
		if number, _ := e.Get("n"); number != fmt.Sprint(heard) {
			t.Fatalf("event %s comes after %d others", number, heard)
		}
		heard++
	})
	var say func()
	say = func() {
		ds[0].Emit(Event{Kind: "k", Attrs: []Attr{Int("n", said)}})
		said++
		most = max(most, said-heard)
		if said < all {
			ds[0].At(ds[0].Now()+Time(said%2), say) // two at each moment
		}
	}
	ds[0].Do(func() { ds[0].At(1, say) })
	advance(t, c, Time(time.Second))
	if heard != all || most > handOn+2 {
		t.Errorf("%d of %d events are heard, and at most %d waited, where %d may", heard, all, most, handOn)
	}
}

// TestEventsAfterABreak has something happen from outside after an Advance was broken
// off, in a domain that has not come as far as others.
func TestEventsAfterABreak(t *testing.T) {
	c, ds := newVirtual(t, "a", "b", "idle")
	ways := make(calls)
	ways.join(ds[0], ds[1], time.Millisecond)
	ways.join(ds[1], ds[0], time.Millisecond)
	var last Time
	c.Subscribe(func(e *Event) {
		if e.Time < last {
			t.Errorf("time goes back from %s to %s, in %s", last, e.Time, e.Board)
		}
		last = e.Time
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, d := range ds[:2] {
		n := 0
		var tick func()
		tick = func() {
			d.Emit(Event{Kind: kindStep})
			if n++; n == 30 {
				cancel()
			}
			After(d, time.Millisecond, tick)
		}
		d.Do(tick)
	}
	if _, err := c.Advance(ctx, Time(90*time.Millisecond), nil); err == nil {
		t.Fatal("it was not broken off")
	}
	before := last
	if before == 0 {
		t.Fatal("no event was delivered before it was broken off")
	}
	ds[2].Do(func() { ds[2].Emit(Event{Kind: kindGuest}) })
	c.Emit(Event{Kind: kindGuest})
	advance(t, c, Time(100*time.Millisecond))
	if last <= before {
		t.Errorf("the last event is at %s", last)
	}
}

func TestAdvanceStopsAtTheGranule(t *testing.T) {
	c, ds := newVirtual(t, "a")
	ds[0].Do(func() {
		ds[0].At(Time(2500*time.Microsecond), func() { ds[0].Emit(Event{Kind: kindStep}) })
		ds[0].At(Time(2600*time.Microsecond), func() { ds[0].Emit(Event{Kind: kindGuest}) })
	})
	stopped, err := c.Advance(context.Background(), Time(time.Second), func(e *Event) bool { return e.Kind == kindStep })
	if err != nil || !stopped {
		t.Fatalf("stopped %v, %v", stopped, err)
	}
	if want := Time(3 * time.Millisecond); c.Now() != want {
		t.Errorf("goes on at %s, want %s", c.Now(), want)
	}
}

func TestAdvanceEndsWithItsContext(t *testing.T) {
	for _, c := range []*Calendar{NewVirtual(), NewReal()} {
		t.Run(fmt.Sprintf("virtual=%v", c.Virtual()), func(t *testing.T) {
			defer c.Close()
			d, err := c.AddDomain("a")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var tick func()
			n := 0
			tick = func() {
				if n++; n == 10 {
					cancel()
				}
				After(d, time.Microsecond, tick)
			}
			d.Do(tick)
			if _, err := c.Advance(ctx, Never, nil); err != context.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRealTime(t *testing.T) {
	c := NewReal()
	ways := make(calls)
	defer c.Close()
	a, err := c.AddDomain("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	ways.join(a, b, time.Millisecond)
	var sent, arrived Time
	a.Do(func() {
		at := a.Now()
		ways.send(a, b, 2*time.Millisecond, func() {
			sent, arrived = at, b.Now()
			b.Emit(Event{Board: b.Name(), Kind: kindStep})
		})
	})
	stopped, err := c.Advance(context.Background(), Never, func(e *Event) bool { return e.Kind == kindStep && e.Board == "b" })
	if err != nil || !stopped {
		t.Fatalf("stopped %v, %v", stopped, err)
	}
	if took := arrived.Sub(sent); took < 2*time.Millisecond {
		t.Errorf("a message of 2 ms took %s", took)
	}
}

func BenchmarkPingPong(b *testing.B) {
	c := NewVirtual()
	defer c.Close()
	x, _ := c.AddDomain("x")
	y, _ := c.AddDomain("y")
	var there, back *Crossing[int]
	there = NewCrossing(x, y, time.Microsecond, func(n int) { back.Send(y.Now().Add(time.Microsecond), n+1) })
	back = NewCrossing(y, x, time.Microsecond, func(n int) { there.Send(x.Now().Add(time.Microsecond), n+1) })
	x.Do(func() { there.Send(x.Now(), 0) })
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := c.Advance(context.Background(), Time(b.N)*1000, nil); err != nil {
		b.Fatal(err)
	}
}

// TestWorkersDoNotMatter runs the same traffic on one worker and on as many as
// there are CPUs: the stream of events must not tell the difference.
func TestWorkersDoNotMatter(t *testing.T) {
	const n = 8
	run := func(boards int) (events []string, workers int) {
		c := NewVirtual()
		ways := make(calls)
		defer c.Close()
		c.Spread(boards)
		var ds []*Domain
		for i := range n {
			d, err := c.AddDomain(fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			ds = append(ds, d)
		}
		for i, from := range ds {
			for j, to := range ds {
				if i != j {
					ways.join(from, to, time.Duration(10+i+j)*time.Microsecond)
				}
			}
		}
		c.Subscribe(func(e *Event) { events = append(events, string(e.AppendJSON(nil))) })
		for i, d := range ds {
			sent := 0
			var tick func()
			tick = func() {
				sent++
				to := ds[(i+1+sent%(n-1))%n]
				e := Event{Kind: kindStep, Attrs: []Attr{Int("from", i), Int("sent", sent)}}
				ways.send(d, to, 0, func() { to.Emit(e) })
				After(d, time.Duration(7+i%3)*time.Microsecond, tick)
			}
			d.Do(tick)
		}
		advance(t, c, Time(10*time.Millisecond))
		return events, len(c.workers)
	}
	one, _ := run(0)
	many, workers := run(n)
	if workers < 2 {
		t.Skip("this machine has one CPU")
	}
	if !slices.Equal(one, many) {
		t.Errorf("%d workers: %d events, one worker: %d, or in another order", workers, len(many), len(one))
	}
	if want := 3 * 1000; len(one) < want {
		t.Errorf("%d events, want at least %d", len(one), want)
	}
}
