package appliance

import (
	"context"
	"fmt"
	"math"
	"time"

	"backplane/simbus"
	"backplane/simbus/awake"
)

const (
	// lastStall is the stall limit while boards are shut down, and lastHalt how long a
	// guest may go on then whose time is over; both in host time.
	lastStall = 2 * time.Second
	lastHalt  = 50 * time.Millisecond
	// cutting is what it takes to end a board whose time is over, in host time.
	cutting = 200 * time.Millisecond
)

// ShutDown powers all boards off in order and waits until they are. One that is not in
// the time that its file allows has its plug pulled; the host's time counts too, from
// since on, but not while this program is stopped. It returns early if ctx ends: Close
// pulls the other plugs.
func (r *Running) ShutDown(ctx context.Context, since time.Time) {
	begin, host := r.Now(), awake.Since(since)
	entered := host.Elapsed()
	r.log.Info("shut down", r.t())
	for _, m := range r.machines() {
		_ = r.PowerOff(m.name) // one without an agent has its plug pulled by Close
	}
	r.cal.StallLimit = min(r.cal.StallLimit, lastStall)
	r.cal.HaltLimit = min(r.cal.HaltLimit, lastHalt)
	for ctx.Err() == nil {
		waits := false
		until, by := simbus.Never, time.Duration(math.MaxInt64)
		for _, m := range r.machines() {
			if !m.shuttingDown() {
				continue
			}
			limit := m.board.Firmware.ShutdownTime()
			due, end := begin.Add(limit), max(limit-cutting, limit/2)
			if !r.cal.Virtual() { // its own time is the host's
				due, end = simbus.Never, min(end, entered+limit)
			}
			if r.Now() >= due || host.Elapsed() >= end {
				r.cutShort(m, limit)
				continue
			}
			waits, until, by = true, min(until, due), min(by, end)
		}
		if !waits || r.await(ctx, until, host, by) != nil {
			return
		}
	}
}

// await lets time go on until a board's state changes, or one's time is over.
func (r *Running) await(ctx context.Context, until simbus.Time, host *awake.Watch, by time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer host.AfterFunc(by, cancel)()
	_, err := r.advance(ctx, until, func(e *simbus.Event) bool { return e.Kind == KindGuest }, 0)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// shuttingDown tells whether the board is on, with an agent that was asked.
func (m *Machine) shuttingDown() (on bool) {
	m.domain.Look(func() { on = m.proc != nil && m.agent.Ready() })
	return on
}

// cutShort pulls the plug of a board whose time is over.
func (r *Running) cutShort(m *Machine, limit time.Duration) {
	why := fmt.Sprintf("not off within %s", limit)
	if r.Do(PullPlug.With(m.name, why)) == nil {
		r.note(fmt.Sprintf("board %s was %s after it was asked to shut down: its plug was pulled ([firmware] shutdown sets the time)", m.name, why))
	}
}
