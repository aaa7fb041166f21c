package outlet

import (
	"sync"
	"time"
)

// Credit is how many bytes a program has sent that have not gone over the line: it bounds
// them. It is for the goroutine that sends, and what tells it how many have gone.
type Credit struct {
	Limit int

	mu      sync.Mutex
	waiting int
	moved   chan struct{} // closed when some have gone, if one waits for it
	closed  bool
}

// Take takes as much room as there is for n bytes, at most; 0 if there is none.
func (c *Credit) Take(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, max(0, c.Limit-c.waiting))
	c.waiting += n
	return n
}

// Sent gives room back, and tells whether nothing waits any more.
func (c *Credit) Sent(n int) (empty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = max(0, c.waiting-n)
	c.wake()
	return c.waiting == 0
}

// Waiting is how many bytes are still to go.
func (c *Credit) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// Close ends all waiting, for good.
func (c *Credit) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake()
}

func (c *Credit) wake() {
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}

// Await waits until at most n bytes wait, or some have gone, or for so long, in host time;
// it tells whether it was one of the first two.
func (c *Credit) Await(n int, limit time.Duration) bool {
	c.mu.Lock()
	if c.closed || c.waiting <= n {
		c.mu.Unlock()
		return !c.closed
	}
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	moved := c.moved
	c.mu.Unlock()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-moved:
		return true
	case <-t.C:
		return false
	}
}

// Closed tells whether Close has been called.
func (c *Credit) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
