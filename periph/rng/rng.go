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
	virtio.Plain
	name   string
	source io.Reader
	queue  *virtio.Queue
}

var _ virtio.Device = (*RNG)(nil)

// New makes a device that hands out the bytes of source, which should not end:
// a seeded [math/rand/v2.ChaCha8] where a run must be repeatable, otherwise
// [crypto/rand.Reader].
func New(name string, source io.Reader) *RNG {
	return &RNG{Plain: virtio.NewPlain(name, virtio.IDRNG, 1), name: name, source: source}
}

// Start takes the queue.
func (d *RNG) Start(_ uint64, queues []*virtio.Queue) error {
	if err := d.Started(queues, 1); err != nil {
		return err
	}
	d.queue = queues[0]
	return nil
}

// Stop lets go of the queue.
func (d *RNG) Stop() { d.queue = nil }

// Kick fills the buffers in the queue.
func (d *RNG) Kick(int) error {
	if d.queue == nil {
		return nil
	}
	if err := d.queue.Serve(d.fill); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}

func (d *RNG) fill(chain *virtio.Chain) (more bool, err error) {
	if chain.ReadLen() > 0 || chain.WriteLen() == 0 {
		return false, fmt.Errorf("buffer of %d bytes to read and %d to write: must be only to write", chain.ReadLen(), chain.WriteLen())
	}
	total := 0
	for _, part := range chain.Writable {
		n, err := io.ReadFull(d.source, part[:min(len(part), maxFill-total)])
		total += n
		if err != nil {
			return false, fmt.Errorf("read entropy: %w", err)
		}
	}
	d.queue.Done(chain, total)
	return true, nil
}
