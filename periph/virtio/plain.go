package virtio

import (
	"errors"
	"fmt"
)

// Plain is the part of a [Device] that many have alike: one that embeds it offers no
// features of its own, and has no configuration space, until it says otherwise.
type Plain struct {
	name   string
	id     uint32
	queues int
}

// NewPlain is for the device of that name on its board, with so many virtqueues.
func NewPlain(name string, id uint32, queues int) Plain { return Plain{name, id, queues} }

// ID is the device number.
func (p *Plain) ID() uint32 { return p.id }

// Features are none.
func (p *Plain) Features() uint64 { return 0 }

// Queues is how many virtqueues the device has.
func (p *Plain) Queues() int { return p.queues }

// Config is empty.
func (p *Plain) Config() []byte { return nil }

// SetConfig refuses.
func (p *Plain) SetConfig(int, []byte) error {
	return fmt.Errorf("%s: write to the configuration space, which is read-only", p.name)
}

// ErrLacking says that a driver has not set up a queue that the device cannot do without.
var ErrLacking = errors.New("started without its queue")

// Started checks that the driver has set up the first n of its queues.
func (p *Plain) Started(queues []*Queue, n int) error {
	for i := range n {
		if i >= len(queues) || queues[i] == nil {
			return fmt.Errorf("%s: %w %d", p.name, ErrLacking, i)
		}
	}
	return nil
}
