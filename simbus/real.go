package simbus

import (
	"context"
	"time"
)

// hostTime is the present in real time.
func (c *Calendar) hostTime() Time { return Time(time.Since(c.start)) }

// publish hands an event to the subscribers in real time. The stream's order is that
// in which the domains came by, and so is that of its times.
func (c *Calendar) publish(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Time = c.hostTime()
	c.deliver(e)
	if c.advancing {
		return
	}
	if c.missed == nil {
		c.missed = NewRecent(maxMissed, maxMissedBytes)
	}
	c.missed.Add(e)
}

// maxMissed and maxMissedBytes bound what is kept of events between two calls of Advance.
const (
	maxMissed      = 1 << 11
	maxMissedBytes = 16 << 20
)

// fail ends the present or next Advance with err.
func (c *Calendar) fail(err error) {
	select {
	case c.failure <- err:
	default: // one is enough
	}
}

// advanceReal waits. What happens between two calls of it happens for the second:
// its caller may have looked at the appliance before.
func (c *Calendar) advanceReal(ctx context.Context, until Time, stop func(*Event) bool) (bool, error) {
	matched := make(chan struct{}, 1)
	watch := func(e *Event) {
		if stop != nil && stop(e) {
			select {
			case matched <- struct{}{}:
			default:
			}
		}
	}
	if stop != nil {
		c.listened.Store(true)
	}
	c.mu.Lock()
	for _, e := range c.missed.Last(0) {
		watch(&e)
	}
	c.missed, c.advancing = nil, true
	n := len(c.subscribers)
	c.subscribers = append(c.subscribers, watch)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.subscribers, c.advancing = c.subscribers[:n], false
		c.mu.Unlock()
	}()
	end := time.NewTimer(until.Sub(c.hostTime()))
	defer end.Stop()
	select {
	case <-matched:
		return true, nil
	case <-end.C:
		return false, nil
	case err := <-c.failure:
		return false, err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
