package simbus

import (
	"context"
	"runtime/debug"
	"time"
)

// longWindow is how long domains may run between two looks at the context and
// two deliveries of events when nobody waits for one.
const longWindow = 100 * time.Millisecond

// advanceVirtual runs the appliance in windows. In each window a domain may run
// until the earliest time at which another could do something that reaches it
// (conservative lookahead), so the domains of a window do not depend on one
// another and the result is the same in whatever order, and wherever, they run.
func (c *Calendar) advanceVirtual(ctx context.Context, until Time, stop func(*Event) bool) (stopped bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moves.Store(true)
	defer c.moves.Store(false)
	defer c.workers[0].pin()()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer c.help(ctx)()

	var matched bool
	if stop != nil {
		c.listened.Store(true)
		watch := func(e *Event) { matched = matched || stop(e) }
		c.subscribers = append(c.subscribers, watch)
		defer func() { c.subscribers = c.subscribers[:len(c.subscribers)-1] }()
	}
	w := c.newWindows()
	for c.reached() < until {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		first := Never
		for _, d := range c.domains {
			first = min(first, d.next())
		}
		first = max(first, c.reached()) // a guest may ask for what is over
		cap := until
		if first < until {
			granule := longWindow
			if stop != nil {
				granule = Granule
			}
			cap = min(until, Time(int64(first)/int64(granule)+1)*Time(granule))
		}
		if err := c.runTo(ctx, cap, w); err != nil {
			for _, d := range c.domains {
				d.catchUp()
			}
			return false, err
		}
		c.now.Store(int64(cap))
		for _, d := range c.domains {
			d.now = max(d.now, cap)
		}
		c.strangers()
		if matched {
			return true, nil
		}
	}
	return false, nil
}

// strangersAgain is how often, in host time, those are looked for that connect from
// outside to a domain's sockets while its guests sleep: these connect in their turns only.
const strangersAgain = 10 * time.Millisecond

// strangers has those answered that have connected from outside. No domain runs, and all
// have the same time.
func (c *Calendar) strangers() {
	if time.Since(c.answered) < strangersAgain {
		return
	}
	c.answered = time.Now()
	for _, d := range c.domains {
		d.poll.knocks()
	}
}

// windows is what runTo needs to tell how far each domain may run.
type windows struct {
	order   []*Domain       // by next, earliest first, as far as known
	next    []Time          // of each domain
	closest []time.Duration // how soon anything can reach each domain
}

func (c *Calendar) newWindows() *windows {
	w := &windows{order: append([]*Domain(nil), c.domains...), next: make([]Time, len(c.domains)), closest: make([]time.Duration, len(c.domains))}
	w.measure(c)
	return w
}

// measure works out how soon anything can reach each domain.
func (w *windows) measure(c *Calendar) {
	if c.delays == nil {
		c.delays = shortestPaths(len(c.domains), c.ways)
	}
	for i, to := range c.domains {
		w.closest[i] = unconnected
		for j, from := range c.domains {
			if i != j {
				w.closest[i] = min(w.closest[i], c.delays[from.index][to.index])
			}
		}
	}
}

// runTo lets everything happen that is due before the time limit.
func (c *Calendar) runTo(ctx context.Context, limit Time, w *windows) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.exchange()
		if c.takeLeast(); c.delays == nil {
			w.measure(c)
		}
		for i, d := range c.domains {
			w.next[i] = d.next()
		}
		w.sort()
		first := min(limit, w.next[w.order[0].index])
		// A domain that was held back may still say something at its next time,
		// and so before what another, further ahead, has said already.
		c.flush(first)
		c.look(nil)
		if first == limit {
			return nil
		}
		for _, worker := range c.workers {
			worker.due = worker.due[:0]
		}
		for _, d := range w.order {
			next := w.next[d.index]
			if next >= limit {
				break
			}
			d.limit = limit
			for _, other := range w.order {
				soon := w.next[other.index]
				if soon.Add(w.closest[d.index]) >= d.limit {
					break
				}
				if other != d {
					d.limit = min(d.limit, soon.Add(c.delays[other.index][d.index]))
				}
			}
			if next < d.limit {
				d.worker.due = append(d.worker.due, d)
			}
		}
		if err := c.runWindow(ctx); err != nil {
			return err
		}
	}
}

// sort brings the order up to date: it changes little from window to window.
func (w *windows) sort() {
	for i := 1; i < len(w.order); i++ {
		d := w.order[i]
		j := i
		for ; j > 0 && w.next[w.order[j-1].index] > w.next[d.index]; j-- {
			w.order[j] = w.order[j-1]
		}
		w.order[j] = d
	}
}

// runWindow lets each worker run what is due in its domains.
func (c *Calendar) runWindow(ctx context.Context) error {
	for _, w := range c.workers[1:] {
		if len(w.due) > 0 {
			w.pass()
		}
	}
	err := c.workers[0].run(ctx)
	for _, w := range c.workers[1:] {
		w.await(1)
		if err == nil {
			err = w.err
		}
	}
	return err
}

// help starts the workers beside the first; the returned function ends them.
func (c *Calendar) help(ctx context.Context) (end func()) {
	done := make(chan struct{})
	for _, w := range c.workers[1:] {
		w.over.Store(false)
		w.err = nil
		go func() {
			w.serve(ctx)
			done <- struct{}{}
		}()
	}
	return func() {
		for _, w := range c.workers[1:] {
			w.over.Store(true)
			w.pass()
			<-done
			w.window.Add(1)
		}
	}
}
