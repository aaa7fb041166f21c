package simbus

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Granule is how often Advance looks at its stop condition in virtual time, so
// that the time at which the caller goes on does not depend on the host.
const Granule = time.Millisecond

// Calendar holds the time of one appliance.
type Calendar struct {
	// StallLimit is how long a guest may hold virtual time still, in host time,
	// silently or not, before it is given up as lost.
	StallLimit time.Duration
	// HaltLimit is how long a guest may go on, in host time, when all is to end.
	HaltLimit time.Duration

	virtual     bool
	workers     []*worker // virtual: they drive the domains
	boards      int       // virtual: how many domains Spread counts on
	domains     []*Domain
	ways        []*way            // from domain to domain
	delays      [][]time.Duration // along the shortest path; nil when it must be worked out
	subscribers []func(*Event)

	mu       sync.Mutex   // virtual: held while the appliance moves; real: orders the stream
	moves    atomic.Bool  // virtual: an Advance is at work
	now      atomic.Int64 // virtual: the Time that every domain has reached
	told     Time         // virtual: the time of the last event that was delivered
	answered time.Time    // virtual: when strangers were looked for last, in host time
	looks    looks        // virtual: what wants to look at domains while the appliance moves

	start     time.Time // real: Time 0
	advancing bool      // real: somebody is in Advance
	missed    *Recent   // real: what has happened since nobody was
	closed    atomic.Bool
	listened  atomic.Bool
	failure   chan error
}

// NewVirtual makes a calendar whose time moves only when every guest waits.
func NewVirtual() *Calendar {
	c := newCalendar()
	c.virtual = true
	c.workers = newWorkers(1)
	return c
}

// Spread lets the domains of a virtual appliance of that many boards run side
// by side, on as many CPUs as pay. What happens does not depend on it. Call it
// before the first AddDomain; boards come before other domains.
func (c *Calendar) Spread(boards int) {
	if !c.virtual || boards < spreadFrom {
		return
	}
	c.boards, c.workers = boards, newWorkers(boards/(spreadFrom/2))
}

// NewReal makes a calendar that follows the host's clock.
func NewReal() *Calendar {
	c := newCalendar()
	c.start = time.Now()
	return c
}

func newCalendar() *Calendar {
	return &Calendar{StallLimit: time.Minute, HaltLimit: 500 * time.Millisecond, failure: make(chan error, 1)}
}

// newWorkers makes at most n workers, each on a CPU of its own.
func newWorkers(n int) (all []*worker) {
	cpus := HostCPUs()
	if len(cpus) < 2 {
		return []*worker{{cpu: -1, away: away{cpu: -1}}}
	}
	n = min(n, len(cpus))
	for i, cpu := range cpus[:n] {
		w := &worker{cpu: cpu, away: away{cpu: -1, patience: patience}}
		if n+i < len(cpus) {
			w.away.cpu = cpus[n+i]
		}
		all = append(all, w)
	}
	return all
}

// HostCPUs are the host's CPUs that this thread may use, beginning with another one
// for another process; none if the host does not tell.
func HostCPUs() (all []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for cpu := 0; len(all) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	skip := os.Getpid() % len(all)
	return append(all[skip:], all[:skip]...)
}

// Virtual tells which kind the calendar is.
func (c *Calendar) Virtual() bool { return c.virtual }

// Turns is how often a guest was given the time, in virtual time. Call it
// between two calls of Advance.
func (c *Calendar) Turns() (n uint64) {
	for _, d := range c.domains {
		n += d.turns
	}
	return n
}

// AddDomain adds a domain. Domains are ordered by when they were added; where
// times are equal, that order decides. One that is added later, while time stands still, has the
// present time. Like [Domain.Do] it is for callers from outside.
func (c *Calendar) AddDomain(name string) (*Domain, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	d := &Domain{cal: c, name: name, poll: p, wakeup: -1}
	if c.virtual {
		c.add(d)
		d.worker = c.workers[0]
		if d.index < c.boards {
			d.worker = c.workers[d.index*len(c.workers)/c.boards]
		}
		return d, nil
	}
	d.done = make(chan struct{})
	if d.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	var buf [8]byte
	if err := p.watch(d.wakeup, func() { _, _ = unix.Read(d.wakeup, buf[:]) }); err != nil {
		return nil, err
	}
	c.add(d)
	go func() {
		runtime.LockOSThread() // its blocking wait needs a thread of its own anyway
		d.serve()
	}()
	return d, nil
}

// add gives a domain its place and the present time.
func (c *Calendar) add(d *Domain) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.index, d.now = len(c.domains), c.present()
	c.domains = append(c.domains, d)
	c.delays = nil
}

const unconnected = time.Duration(Never)

// delay is the least time in which something that happens in one domain can
// matter in another, through any others; for a domain and itself, there and back.
func (c *Calendar) delay(from, to *Domain) time.Duration {
	if c.delays == nil {
		c.delays = shortestPaths(len(c.domains), c.ways)
	}
	return c.delays[from.index][to.index]
}

func shortestPaths(n int, ways []*way) [][]time.Duration {
	d := make([][]time.Duration, n)
	for i := range d {
		d[i] = make([]time.Duration, n)
		for j := range d[i] {
			d[i][j] = unconnected
		}
	}
	for _, w := range ways {
		d[w.from][w.to] = min(d[w.from][w.to], w.least)
	}
	for k := range n {
		for i := range n {
			if d[i][k] == unconnected {
				continue
			}
			for j := range n {
				if d[k][j] != unconnected {
					d[i][j] = min(d[i][j], d[i][k]+d[k][j])
				}
			}
		}
	}
	return d
}

// Subscribe calls f for each event, in order. The event is f's to keep. Call it
// before the first Advance.
func (c *Calendar) Subscribe(f func(*Event)) {
	c.subscribers = append(c.subscribers, f)
	c.listened.Store(true)
}

// observed tells whether anybody listens to the stream, or did.
func (c *Calendar) observed() bool { return c.listened.Load() }

// Emit puts an event of the appliance itself into the stream, at the present time.
// Like Do it is for callers from outside.
func (c *Calendar) Emit(e Event) {
	if !c.virtual {
		c.publish(&e)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Time = c.present()
	c.flush(e.Time + 1)
	c.deliver(&e)
}

// Now is a time that every domain has reached. In virtual time none has passed it
// between two calls of Advance, when it stands still; in real time it is the
// present. It never waits, not for Advance either.
func (c *Calendar) Now() Time {
	if !c.virtual {
		return c.hostTime()
	}
	return c.reached()
}

func (c *Calendar) reached() Time { return Time(c.now.Load()) }

// present is when something from outside happens: not before what was delivered, which
// is later than what all have reached where an Advance was broken off.
func (c *Calendar) present() Time { return max(c.reached(), c.told) }

// Advance lets everything happen that is due before the time until. It returns
// early, with true, once stop has returned true for an event; in virtual time
// that is at the end of the event's Granule. It returns ctx's error if ctx ends.
// Only one Advance runs at a time.
func (c *Calendar) Advance(ctx context.Context, until Time, stop func(*Event) bool) (stopped bool, err error) {
	if c.virtual {
		return c.advanceVirtual(ctx, until, stop)
	}
	return c.advanceReal(ctx, until, stop)
}

// Close ends the calendar: nothing happens in its domains any more. Guests must have gone.
func (c *Calendar) Close() {
	if c.closed.Swap(true) {
		return
	}
	if c.virtual {
		c.mu.Lock()
		c.flush(Never)
		c.mu.Unlock()
	}
	c.mu.Lock()
	all := c.domains
	c.mu.Unlock()
	for _, d := range all {
		if !c.virtual {
			d.wake()
			<-d.done
			unix.Close(d.wakeup)
		}
		d.poll.close()
	}
}

func (c *Calendar) deliver(e *Event) {
	for _, f := range c.subscribers {
		f(e)
	}
}

// exchange delivers what the domains sent to each other, in an order that
// depends on times alone, then on the order of the domains.
func (c *Calendar) exchange() {
	var sent []crossing
	for _, d := range c.domains {
		sent = append(sent, d.sent...)
		d.sent = d.sent[:0]
	}
	sort.SliceStable(sent, func(i, j int) bool { return sent[i].at < sent[j].at })
	for _, m := range sent {
		m.to.timers.add(m.at, m.from, m.what)
	}
}

// flush hands the events that are earlier than safe to the subscribers, in the
// same order.
func (c *Calendar) flush(safe Time) {
	var ready []Event // new each time: the events are the subscribers' to keep
	for _, d := range c.domains {
		n := sort.Search(len(d.events), func(i int) bool { return d.events[i].Time >= safe })
		for i := range d.events[:n] {
			d.said -= d.events[i].size()
		}
		ready = append(ready, d.events[:n]...)
		d.events = append(d.events[:0], d.events[n:]...)
	}
	sort.SliceStable(ready, func(i, j int) bool { return ready[i].Time < ready[j].Time })
	for i := range ready {
		c.told = ready[i].Time
		c.deliver(&ready[i])
	}
}
