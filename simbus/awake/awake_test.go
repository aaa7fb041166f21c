package awake

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestClock stops the program between two looks: that time does not count.
func TestClock(t *testing.T) {
	var c Clock
	host := time.Unix(1000, 0)
	first := c.Now(host)
	tests := []struct{ passes, counts time.Duration }{
		{Tick, Tick},
		{5 * Tick, 5 * Tick}, // a busy host
		{time.Hour, Tick},
		{Tick, Tick},
		{time.Minute, Tick},
	}
	var want time.Duration
	for _, tt := range tests {
		host = host.Add(tt.passes)
		want += tt.counts
		if got := c.Now(host).Sub(first); got != want {
			t.Fatalf("after %s it is %s, want %s", tt.passes, got, want)
		}
	}
	c.Rest()
	if got := c.Now(host.Add(time.Hour)).Sub(first); got != want+time.Hour {
		t.Errorf("what it was not asked about has passed as %s, want all of it", got-want)
	}
}

// TestAfterFunc has a limit of 3 s on a host whose clock the test has: each look comes as
// late as the test says.
func TestAfterFunc(t *testing.T) {
	const limit = 3 * time.Second
	for name, tt := range map[string]struct {
		late map[int]time.Duration // looks by their number, with how much later they come
		want time.Duration         // of the host, until the limit is over
	}{
		"undisturbed":         {nil, limit},
		"stopped for an hour": {map[int]time.Duration{7: time.Hour}, limit + time.Hour},
		"stopped twice":       {map[int]time.Duration{7: time.Hour, 12: time.Minute}, limit + time.Hour + time.Minute},
		"a busy host":         {map[int]time.Duration{3: Tick, 4: 2 * Tick, 5: Tick}, limit},
	} {
		t.Run(name, func(t *testing.T) {
			host := time.Unix(1000, 0)
			begin, looks := host, 0
			w := Since(host)
			w.now = func() time.Time { return host }
			w.after = func(d time.Duration) <-chan time.Time {
				looks++
				host = host.Add(d + tt.late[looks])
				c := make(chan time.Time, 1)
				c <- host
				return c
			}
			over := make(chan time.Duration)
			w.AfterFunc(limit, func() { over <- host.Sub(begin) })
			if got := <-over; got != tt.want {
				t.Errorf("the limit is over after %s of the host's time, want %s", got, tt.want)
			}
		})
	}
}

// TestStop: a limit that is given up is not reached, and leaves no goroutine, which the
// bubble would wait for.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := false
		stop := AfterFunc(time.Minute, func() { called = true })
		time.Sleep(59 * time.Second)
		stop()
		stop()
		time.Sleep(time.Minute)
		if called {
			t.Error("the function was called")
		}
	})
}

// TestSince counts from a moment that was, or that is to come.
func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ago := range []time.Duration{0, 500 * time.Millisecond, -20 * time.Second} {
			begin, over := time.Now(), make(chan struct{})
			w := Since(begin.Add(-ago))
			w.AfterFunc(2*time.Second, func() { close(over) })
			<-over
			if got, want := time.Since(begin), 2*time.Second-ago; got != want || w.Elapsed() != 2*time.Second {
				t.Errorf("from %s ago: over after %s, want %s; elapsed %s", ago, got, want, w.Elapsed())
			}
		}
	})
}
