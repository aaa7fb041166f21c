// Package rng is the guest's source of entropy: a virtio-rng device (virtio 1.2
// section 5.4; Linux drivers/char/hw_random/virtio-rng.c).
package rng

import (
	"fmt"
	"io"

	"backplane/periph/virtio"
)

// maxFill is how many bytes a buffer is given at most. The specification lets
// the device give fewer than asked for, and Linux asks for one cache line.
const maxFill = 4096

// RNG is one entropy source. It is a [virtio.Device].
type RNG struct {
	name   string
	source io.Reader
	queue  *virtio.Queue
}

var _ virtio.Device = (*RNG)(nil)

// New makes a device that hands out the bytes of source, which should not end:
// a seeded [math/rand/v2.ChaCha8] where a run must be repeatable, otherwise
// [crypto/rand.Reader].
func New(name string, source io.Reader) *RNG { return &RNG{name: name, source: source} }

// Name is the device's name on its board.
func (d *RNG) Name() string { return d.name }

// ID is virtio.IDRNG.
func (d *RNG) ID() uint32 { return virtio.IDRNG }

// Features are none.
func (d *RNG) Features() uint64 { return 0 }

// Queues is one.
func (d *RNG) Queues() int { return 1 }

// Config is empty.
func (d *RNG) Config() []byte { return nil }

// SetConfig refuses: there is nothing to write.
func (d *RNG) SetConfig(int, []byte) error {
	return fmt.Errorf("%s: write to the configuration space: there is none", d.name)
}

// Start takes the queue.
func (d *RNG) Start(_ uint64, queues []*virtio.Queue) error {
	if len(queues) < 1 || queues[0] == nil {
		return fmt.Errorf("%s: started without its queue", d.name)
	}
	d.queue = queues[0]
	return nil
}

// Stop lets go of the queue.
func (d *RNG) Stop() { d.queue = nil }

// Kick fills the buffers in the queue.
func (d *RNG) Kick(int) error {
	for filled := false; d.queue != nil; filled = true {
		chain, err := d.queue.Next()
		if err != nil {
			return fmt.Errorf("%s: take a buffer: %w", d.name, err)
		}
		if chain == nil {
			if filled {
				d.queue.Notify()
			}
			return nil
		}
		n, err := d.fill(chain)
		if err != nil {
			return err
		}
		d.queue.Done(chain, n)
	}
	return nil
}

func (d *RNG) fill(chain *virtio.Chain) (int, error) {
	if chain.ReadLen() > 0 || chain.WriteLen() == 0 {
		return 0, fmt.Errorf("%s: buffer of %d bytes to read and %d to write: must be only to write",
			d.name, chain.ReadLen(), chain.WriteLen())
	}
	total := 0
	for _, part := range chain.Writable {
		n, err := io.ReadFull(d.source, part[:min(len(part), maxFill-total)])
		total += n
		if err != nil {
			return 0, fmt.Errorf("%s: read entropy: %w", d.name, err)
		}
	}
	return total, nil
}
