package scenarios

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"backplane/simbus"
)

// errOver ends the step that the player plays when the scenario is over.
var errOver = errors.New("the scenario is over")

// pause is what a player waits for: a time, or that stop is true for an event.
type pause struct {
	until simbus.Time
	stop  func(*simbus.Event) bool
}

// company is an appliance for a scenario beside which a player plays. Only one of the two is
// at work at a time; time goes on when both wait.
type company struct {
	Appliance
	next  func() (pause, bool) // lets the player go on until it waits again; false: it has ended
	leave func()               // ends it
	wait  pause
	over  bool // it has ended
	due   atomic.Bool
}

// accompany lets a player play on an appliance, from the next time that the scenario waits.
func accompany(app Appliance, play func(Appliance)) *company {
	c := &company{Appliance: app}
	c.next, c.leave = iter.Pull(func(yield func(pause) bool) { play(&seat{app, yield}) })
	c.due.Store(true)
	return c
}

// Advance is that of the scenario. It also returns when the player has done something, at
// which the scenario may want to look.
func (c *company) Advance(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (stopped bool, err error) {
	if !c.over && (c.due.Swap(false) || c.Now() >= c.wait.until) {
		var more bool
		c.wait, more = c.next()
		c.over = !more
		return false, nil
	}
	if c.over {
		return c.Appliance.Advance(ctx, until, stop)
	}
	var mine atomic.Bool
	theirs := c.wait.stop
	_, err = c.Appliance.Advance(ctx, min(until, c.wait.until), func(e *simbus.Event) bool {
		if theirs(e) {
			c.due.Store(true)
		}
		if stop(e) {
			mine.Store(true)
		}
		return mine.Load() || c.due.Load()
	})
	return mine.Load(), err
}

// seat is the appliance for the player.
type seat struct {
	Appliance
	yield func(pause) bool
}

// Advance waits until the scenario has let time go on.
func (s *seat) Advance(_ context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	if !s.yield(pause{until, stop}) {
		return false, errOver
	}
	return false, nil
}

// invite lets the scenario's player play from now on, and returns what ends that and tells
// what became of its steps.
func (r *runner) invite(ctx context.Context, s *Scenario, o *Options) (leave func() []StepResult) {
	p := &runner{app: r.app, rec: o.Recorder.beside(), end: r.end, until: r.until, vars: make(map[string]string), player: true}
	var results []StepResult
	c := accompany(r.app, func(app Appliance) {
		p.app = app
		results, _ = p.all(ctx, p.acts(ctx, turns(nil, s.player, "", nil)), o)
	})
	r.app = c
	return func() []StepResult {
		p.over = true
		c.leave()
		return results
	}
}
