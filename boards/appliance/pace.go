package appliance

import (
	"context"
	"time"

	"backplane/simbus"
)

// pacer ties virtual time to the host's clock. It goes in slices: what comes in
// from outside waits for the next one.
type pacer struct {
	// A slice is at least as long as least, so that they do not cost more than
	// what happens in them, and at most as long as most. A host that is late by
	// more than that has lost the time for good: a burst that caught up with it
	// would let the boards' time race past a world outside that stands still.
	least, most time.Duration
	room        time.Duration // what a slice may be on this host, at most
	last        time.Time     // of the host, up to which virtual time has come; zero before the first
}

func newPacer(gateways bool) *pacer {
	p := &pacer{least: 10 * time.Millisecond, most: 100 * time.Millisecond}
	if gateways {
		p.least, p.most = time.Millisecond, 10*time.Millisecond
	}
	p.room = p.most
	return p
}

// next waits for the next slice and says how long it is, at most left.
func (p *pacer) next(ctx context.Context, left time.Duration) (time.Duration, error) {
	now := time.Now()
	if p.last.IsZero() {
		p.last = now
	}
	if wait := min(p.least, left) - now.Sub(p.last); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		now = time.Now()
	}
	passed := now.Sub(p.last)
	if passed > p.room {
		passed, p.last = p.room, now.Add(-p.room)
	}
	slice := min(passed, left)
	p.last = p.last.Add(slice)
	return slice, ctx.Err()
}

// took tells how long a slice took, in host time. Whoever wants to do something
// waits for its end: where guests keep the host busy for much longer than their
// time is, slices are made shorter.
func (p *pacer) took(slice, host time.Duration) {
	p.room = min(p.most, 2*p.room)
	if host > maxSlice {
		p.room = min(p.room, max(time.Microsecond, time.Duration(float64(slice)*float64(maxSlice)/float64(host))))
	}
}

// Pace ties virtual time to the host's clock from now on, as [Options].Paced does from the start.
func (r *Running) Pace() {
	if r.opts.Virtual && r.pace == nil {
		r.pace = newPacer(false)
	}
}

// maxSlice is how long a slice should take, in host time.
const maxSlice = 100 * time.Millisecond

// Advance lets everything happen that is due before the time until. It is
// [simbus.Calendar.Advance], but for a paced appliance: that never runs ahead
// of the host's clock, and stands still between two slices, which is when frames
// from outside come in. A stop function is heeded as ever; where ctx ends, so
// does the present slice first, unless guests keep it from that for long.
func (r *Running) Advance(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	return r.advance(ctx, until, stop, 2*maxSlice)
}

// advance is Advance; a slice may take grace, in host time, after ctx has ended.
func (r *Running) advance(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool, grace time.Duration) (bool, error) {
	if r.pace == nil {
		return r.slice(ctx, until, stop)
	}
	late, cancel := later(ctx, grace)
	defer cancel()
	for now := r.cal.Now(); now < until; now = r.cal.Now() {
		slice, err := r.pace.next(ctx, until.Sub(now))
		if err != nil {
			return false, err
		}
		r.admit()
		begin := time.Now()
		stopped, err := r.slice(late, now.Add(slice), stop)
		r.pace.took(slice, time.Since(begin))
		if stopped || err != nil {
			return stopped, err
		}
	}
	return false, ctx.Err()
}

// later is a context that ends so much after the other.
func later(ctx context.Context, d time.Duration) (late context.Context, cancel func()) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			end()
		case <-late.Done():
		}
	})
	return late, func() { stop(); end() }
}

// slice lets time go on, and nobody outside do anything meanwhile.
func (r *Running) slice(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	if r.opts.Virtual {
		r.outside.Lock()
		defer r.outside.Unlock()
	}
	r.watchdog.move(true)
	stopped, err := r.cal.Advance(ctx, until, stop)
	r.watchdog.move(false)
	r.broken = r.broken || err != nil
	return stopped, err
}
