package boards

import (
	"context"
	"fmt"
	"time"

	"backplane/simbus"
)

// defaultShutdown is how long a board may take to power off in order.
const defaultShutdown = 2 * time.Second

// shutdown is how long the board may take to power off in order. Time that the host
// measures counts as well, where somebody waits for the end.
func (f *Firmware) shutdown() time.Duration {
	if f.Shutdown == 0 {
		return defaultShutdown
	}
	return time.Duration(f.Shutdown)
}

// patience is how long programs may take of that to end by themselves. The rest is for
// the kernel, after those that have not were killed.
func (f *Firmware) patience() time.Duration { return f.shutdown() * 3 / 4 }

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
// since on. It returns early if ctx ends: Close pulls the other plugs.
func (r *Running) ShutDown(ctx context.Context, since time.Time) {
	begin := r.Now()
	for _, m := range r.machines {
		_ = r.PowerOff(m.name) // one without an agent has its plug pulled by Close
	}
	r.cal.StallLimit = min(r.cal.StallLimit, lastStall)
	r.cal.HaltLimit = min(r.cal.HaltLimit, lastHalt)
	for ctx.Err() == nil {
		until, by := simbus.Never, time.Time{}
		for _, m := range r.machines {
			if !m.shuttingDown() {
				continue
			}
			limit := m.board.Firmware.shutdown()
			end := since.Add(max(limit-cutting, limit/2))
			if r.Now() >= begin.Add(limit) || !time.Now().Before(end) {
				r.cutShort(m, limit)
				continue
			}
			until = min(until, begin.Add(limit))
			if by.IsZero() || end.Before(by) {
				by = end
			}
		}
		if until == simbus.Never {
			return
		}
		if err := r.await(ctx, until, by); err != nil {
			return
		}
	}
}

// await lets time go on until a board's state changes, or one's time is over.
func (r *Running) await(ctx context.Context, until simbus.Time, by time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	_, err := r.advance(ctx, until, func(e *simbus.Event) bool { return e.Kind == simbus.KindGuest }, 0)
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
	if r.pullPlug(m.name, why) == nil {
		r.note(fmt.Sprintf("board %s was %s after it was asked to shut down: its plug was pulled ([firmware] shutdown allows it more)", m.name, why))
	}
}
