package simbus

import (
	"slices"
	"sync/atomic"
	"time"
)

// Crossing carries values from one domain to another, each with the time at which it
// arrives there: frames, characters, levels. It belongs to the domain that sends. Such
// values are all that passes between domains, so that each can go on by itself for as
// long as they take.
type Crossing[T any] struct {
	from, to *Domain
	way      *way
	deliver  func(T)
	closed   atomic.Bool
}

// NewCrossing makes a crossing on which everything takes at least least. That must be
// positive, unless it is a domain's to itself. What arrives is given to deliver, on the
// goroutine of its domain. Crossings are made and closed while time stands still: callers are
// from outside, as those of [Domain.Do], unless it is a domain's to itself.
func NewCrossing[T any](from, to *Domain, least time.Duration, deliver func(T)) *Crossing[T] {
	c := &Crossing[T]{from: from, to: to, deliver: deliver}
	if from != to {
		c.way = from.cal.connect(from, to, least)
	}
	return c
}

// SetLeast changes the least time, which must be positive. It is called on the goroutine of
// the domain that sends. While the appliance moves, the other domain may already have gone
// on for as long as the time before allowed: so where the new one is less, nothing that is
// sent from now on arrives before that has passed once. That does not depend on how far the
// other has really come.
func (c *Crossing[T]) SetLeast(least time.Duration) {
	if c.way != nil {
		c.from.setLeast(c.way, least)
	}
}

// Least is how long what is sent now takes at least: 0 in real time, and from a domain to
// itself.
func (c *Crossing[T]) Least() time.Duration {
	if c.way == nil || !c.from.cal.virtual {
		return 0
	}
	now := c.from.Now()
	return c.way.soonest(now).Sub(now)
}

// Send lets a value arrive at a time; one that is too soon is made as late as need be. It
// is called on the goroutine of the domain that sends. What is sent in the order of its
// times arrives in that order, however long the sender takes in real time.
func (c *Crossing[T]) Send(at Time, v T) {
	if !c.closed.Load() {
		c.from.send(c.to, c.way, at, &passing[T]{c, v})
	}
}

// Close lets nothing be sent any more, and no domain reckon with it. What is under way arrives.
func (c *Crossing[T]) Close() {
	if !c.closed.Swap(true) && c.way != nil {
		c.from.cal.disconnect(c.way)
	}
}

// passing is a value on its way.
type passing[T any] struct {
	c *Crossing[T]
	v T
}

func (p *passing[T]) call() { p.c.deliver(p.v) }

// way is how long it takes at least, on one crossing, from one domain to another.
type way struct {
	from, to int
	least    time.Duration // as the calendar reckons with it: it changes between windows

	// What follows is the sender's.
	now   time.Duration // as it was set last
	floor Time          // nothing arrives before: a longer one held until then

	changed bool // the calendar does not reckon with it yet
}

// soonest is when something arrives that is sent at a time.
func (w *way) soonest(at Time) Time { return max(at.Add(w.now), w.floor) }

// connect notes a way from one domain to another.
func (c *Calendar) connect(from, to *Domain, least time.Duration) *way {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &way{from: from.index, to: to.index, least: least, now: least, floor: to.now}
	c.ways = append(c.ways, w)
	c.delays = nil
	return w
}

// disconnect forgets a way.
func (c *Calendar) disconnect(w *way) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ways = slices.DeleteFunc(c.ways, func(other *way) bool { return other == w })
	c.delays = nil
}

// setLeast changes a way of the domain, for the calendar from the next window on.
func (d *Domain) setLeast(w *way, least time.Duration) {
	if !d.cal.moves.Load() {
		w.least, w.now, w.floor = least, least, 0
		d.cal.delays = nil
		return
	}
	if least < w.now {
		w.floor = w.soonest(d.Now())
	}
	w.now = least
	if !w.changed {
		w.changed = true
		d.changed = append(d.changed, w)
	}
}

// takeLeast makes the calendar reckon with what has changed in the last window.
func (c *Calendar) takeLeast() {
	for _, d := range c.domains {
		for _, w := range d.changed {
			w.changed = false
			if w.least != w.now {
				w.least, c.delays = w.now, nil
			}
		}
		d.changed = d.changed[:0]
	}
}

// call is something to do at a time.
type call interface{ call() }

// callFunc is a function to call.
type callFunc func()

func (f callFunc) call() { f() }

// send lets something happen in another domain at a time, which is made as late as what
// crosses there takes at least.
func (d *Domain) send(to *Domain, w *way, at Time, what call) {
	if to == d {
		d.at(at, what)
		return
	}
	if !d.cal.virtual {
		to.post(at, what)
		return
	}
	at = max(at, w.soonest(d.Now()))
	d.sent = append(d.sent, crossing{d.index, to, at, what})
	// The answer may come back as soon as this: do not run past it.
	if back := at.Add(d.cal.delay(to, d)); back < d.limit {
		d.limit = back
		if d.running != nil {
			d.running.stopBy(back)
		}
	}
}
