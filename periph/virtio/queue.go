package virtio

import "errors"

// ErrBroken wraps everything that a driver did wrong with a queue.
var ErrBroken = errors.New("driver broke the virtqueue")

// Chain is one buffer that the driver made available: what the device may read,
// then what it may write, as slices of guest memory. The guest may change that
// memory at any moment: copy out what is looked at twice. A Chain is valid
// until it is given back with Queue.Done.
type Chain struct {
	Readable [][]byte
	Writable [][]byte
	head     uint16
}

// Queue is one split virtqueue, seen from the device.
type Queue struct{}

// Next takes the next buffer that the driver made available, nil if there is none.
// An error (ErrBroken) stops the device: return it from Kick or give it to Fail.
func (q *Queue) Next() (*Chain, error) { return nil, nil }

// Done gives a buffer back with the number of bytes written to it, without an
// interrupt. Buffers may be given back in any order.
func (q *Queue) Done(c *Chain, written int) {}

// Notify interrupts the driver if it wants to know of the buffers given back
// since the last Notify (event index or flags, section 2.7.10).
func (q *Queue) Notify() {}

// Fail stops the whole device because of err, for devices that find a mistake
// outside Kick.
func (q *Queue) Fail(err error) {}
