package simbus

import (
	"sync"
	"sync/atomic"
	"time"
)

// looks is what callers from outside want to see of domains while Advance runs.
type looks struct {
	some atomic.Int32 // how many wait, so that nobody takes the lock for nothing
	mu   sync.Mutex
	list []*look
}

type look struct {
	d    *Domain
	f    func()
	done chan struct{}
}

// Look runs f where the domain's models are driven, and returns when it is done.
// Unlike [Domain.Do] it does not wait until time stands still, so that an
// appliance can be asked what it is doing whatever its guests do: f may only
// look, and may find a guest in the middle of its turn. Callers are from outside.
func (d *Domain) Look(f func()) {
	c := d.cal
	if !c.virtual {
		d.Do(f)
		return
	}
	l := &look{d, f, make(chan struct{})}
	c.looks.some.Add(1)
	c.looks.mu.Lock()
	c.looks.list = append(c.looks.list, l)
	c.looks.mu.Unlock()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		if c.mu.TryLock() { // nobody is in Advance to do it
			c.look(nil)
			c.mu.Unlock()
		}
		select {
		case <-l.done:
			return
		case <-again.C:
		}
	}
}

// lookAgain is how often a caller of Look sees whether Advance has returned meanwhile.
const lookAgain = 5 * time.Millisecond

// look does what waits for the domains of a worker, or of all if w is nil. The
// caller is who drives them.
func (c *Calendar) look(w *worker) {
	if c.looks.some.Load() == 0 {
		return
	}
	c.looks.mu.Lock()
	var mine []*look
	kept := c.looks.list[:0]
	for _, l := range c.looks.list {
		if w == nil || l.d.worker == w {
			mine = append(mine, l)
		} else {
			kept = append(kept, l)
		}
	}
	clear(c.looks.list[len(kept):])
	c.looks.list = kept
	c.looks.mu.Unlock()
	for _, l := range mine {
		c.looks.some.Add(-1)
		l.f()
		close(l.done)
	}
}
