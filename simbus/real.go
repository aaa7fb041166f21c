package simbus

import (
	"context"
	"time"
)

// hostTime is the present in real time.
func (c *Calendar) hostTime() Time { return Time(time.Since(c.start)) }

// publish hands an event to the subscribers in real time. The stream's order is
// that in which the domains came by; its times may step back by as much as two
// of them raced.
func (c *Calendar) publish(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deliver(e)
}

// fail ends the present or next Advance with err.
func (c *Calendar) fail(err error) {
	select {
	case c.failure <- err:
	default: // one is enough
	}
}

func (c *Calendar) advanceReal(ctx context.Context, until Time, stop func(*Event) bool) (bool, error) {
	matched := make(chan struct{}, 1)
	if stop != nil {
		c.listened.Store(true)
		c.mu.Lock()
		c.subscribers = append(c.subscribers, func(e *Event) {
			if stop(e) {
				select {
				case matched <- struct{}{}:
				default:
				}
			}
		})
		n := len(c.subscribers) - 1
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			c.subscribers = c.subscribers[:n]
			c.mu.Unlock()
		}()
	}
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
