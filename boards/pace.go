package boards

import (
	"context"
	"time"

	"backplane/simbus"
)

// Slices are how far a paced appliance goes at once: what comes in from outside
// waits for the next one. One without gateways needs no short ones.
const (
	gatewaySlice = time.Millisecond
	idleSlice    = 10 * time.Millisecond
)

// pacer ties virtual time to the host's clock.
type pacer struct {
	slice time.Duration
	due   time.Time // when the host's clock lets the next slice begin, zero before the first
}

func newPacer(gateways bool) *pacer {
	if gateways {
		return &pacer{slice: gatewaySlice}
	}
	return &pacer{slice: idleSlice}
}

// wait waits until the host's clock has gone on by d since the slice before. An
// appliance that was too slow for that falls behind for good: at most one slice
// follows another at once, since a burst that caught up with the host would let
// the boards' time race while the world outside stands still.
func (p *pacer) wait(ctx context.Context, d time.Duration) error {
	now := time.Now()
	if p.due.IsZero() || now.Sub(p.due) > p.slice {
		p.due = now
	}
	p.due = p.due.Add(d)
	if wait := p.due.Sub(now); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// Advance lets everything happen that is due before the time until. It is
// [simbus.Calendar.Advance], but for a paced appliance: that never runs ahead
// of the host's clock, and stands still between two slices, which is when frames
// from outside come in. A stop function is heeded as ever; where ctx ends, so
// does the present slice first.
func (r *Running) Advance(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	if r.pace == nil {
		return r.slice(ctx, until, stop)
	}
	for now := r.cal.Now(); now < until; {
		next := min(until, now.Add(r.pace.slice))
		if err := r.pace.wait(ctx, next.Sub(now)); err != nil {
			return false, err
		}
		r.admit()
		stopped, err := r.slice(context.WithoutCancel(ctx), next, stop)
		if stopped || err != nil {
			return stopped, err
		}
		now = next
	}
	return false, ctx.Err()
}

// slice lets time go on, and nobody outside do anything meanwhile.
func (r *Running) slice(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	if r.opts.Virtual {
		r.outside.Lock()
		defer r.outside.Unlock()
	}
	stopped, err := r.cal.Advance(ctx, until, stop)
	r.broken = r.broken || err != nil
	return stopped, err
}
