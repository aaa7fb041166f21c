package console

import (
	"encoding/binary"
	"errors"
	"fmt"

	"backplane/periph/virtio"
)

// Feature bits (section 5.3.3).
const featureSize = 1 << 0

// The virtqueues of a device with one port (section 5.3.2), named from the guest's side.
const (
	receiveQueue = iota
	transmitQueue
	queueCount
)

// configSize is the size of struct virtio_console_config in bytes.
const configSize = 12

// InputLimit is how many bytes of input a console keeps for a guest that does
// not take them.
const InputLimit = 1 << 20

// Output is copied out of guest memory chunk bytes at a time. The longest
// buffer that Linux sends is what it finds in a pipe, 1 MiB at most.
const (
	chunk     = 4096
	maxOutput = 1 << 20
)

// ErrOverrun is what Write's error wraps when input was dropped.
var ErrOverrun = errors.New("input overrun")

// Console is one console. It is a [virtio.Device].
type Console struct {
	// OnOutput, if set, is called with what the guest writes. p is the callee's
	// only until it returns.
	OnOutput func(p []byte)
	// Cols and Rows are the size of the terminal, told to the guest if both are
	// set before it starts.
	Cols, Rows uint16
	// Limit is how many bytes of input are kept for a guest that does not take
	// them: InputLimit unless it is set.
	Limit int

	virtio.Plain
	name    string
	rx, tx  *virtio.Queue
	input   []byte // not yet taken by the guest
	held    bool
	scratch [chunk]byte
}

var _ virtio.Device = (*Console)(nil)

// New makes a console.
func New(name string) *Console {
	return &Console{Plain: virtio.NewPlain(name, virtio.IDConsole, queueCount), name: name, Limit: InputLimit}
}

// Output lets f have what the guest writes. p is f's only until it returns.
func (c *Console) Output(f func(p []byte)) { c.OnOutput = f }

// Input is Write, for what is typed.
func (c *Console) Input(p []byte) error {
	_, err := c.Write(p)
	return err
}

// Write gives the guest input. What the guest has no room for is kept, up to
// InputLimit; the rest is dropped, and the error then wraps ErrOverrun. Input
// for a guest that has not started yet waits for it.
func (c *Console) Write(p []byte) (int, error) {
	n := min(len(p), c.Room())
	c.input = append(c.input, p[:n]...)
	if err := c.deliver(); err != nil {
		c.rx.Fail(err)
		return n, err
	}
	if lost := len(p) - n; lost > 0 {
		return n, fmt.Errorf("%s: %w: %d bytes dropped: the guest has not read the %d before them",
			c.name, ErrOverrun, lost, c.Limit)
	}
	return n, nil
}

// Room is how many bytes Write takes.
func (c *Console) Room() int { return c.Limit - len(c.input) }

// Waiting is how many bytes of input the guest has not taken yet.
func (c *Console) Waiting() int { return len(c.input) }

// Forget drops the input that the guest has not taken.
func (c *Console) Forget() { c.input = nil }

// Features offers the terminal's size if there is one.
func (c *Console) Features() uint64 {
	if c.Cols > 0 && c.Rows > 0 {
		return featureSize
	}
	return 0
}

// Config is struct virtio_console_config, in the order that Linux has: columns, then rows.
func (c *Console) Config() []byte {
	b := make([]byte, configSize)
	binary.LittleEndian.PutUint16(b[0:], c.Cols)
	binary.LittleEndian.PutUint16(b[2:], c.Rows)
	binary.LittleEndian.PutUint32(b[4:], 1) // max_nr_ports
	return b
}

// Start takes the queues and delivers input that has waited.
func (c *Console) Start(_ uint64, queues []*virtio.Queue) error {
	if err := c.Started(queues, queueCount); err != nil {
		return err
	}
	c.rx, c.tx = queues[receiveQueue], queues[transmitQueue]
	return c.deliver()
}

// Kick passes on what the guest wrote, or gives it input that has waited for room.
func (c *Console) Kick(n int) error {
	if n == transmitQueue {
		return c.transmit()
	}
	return c.deliver()
}

// Stop drops the input that the guest has not taken.
func (c *Console) Stop() {
	c.rx, c.tx = nil, nil
	c.Forget()
}

// Held tells whether the guest's output is left in its queue.
func (c *Console) Held() bool { return c.held }

// Hold leaves the guest's output in its queue until it is called with false.
// A Linux without our patch to virtio_console busy-waits for that.
func (c *Console) Hold(on bool) {
	c.held = on
	if on || c.tx == nil {
		return
	}
	if err := c.transmit(); err != nil {
		c.tx.Fail(err)
	}
}

// transmit takes the guest's output.
func (c *Console) transmit() error {
	if c.tx == nil || c.held {
		return nil
	}
	if err := c.tx.Serve(c.take); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// take passes on what is in a buffer of the guest's.
func (c *Console) take(chain *virtio.Chain) (more bool, err error) {
	if n := chain.WriteLen(); n > 0 {
		return false, fmt.Errorf("output buffer with room for %d bytes of input", n)
	}
	if n := chain.ReadLen(); n > maxOutput {
		return false, fmt.Errorf("output buffer of %d bytes: must be at most %d", n, maxOutput)
	}
	tx := c.tx
	c.output(chain)
	if c.tx != tx {
		return false, nil // OnOutput stopped the guest
	}
	tx.Done(chain, 0)
	return !c.held, nil
}

func (c *Console) output(chain *virtio.Chain) {
	for _, part := range chain.Readable {
		for len(part) > 0 && c.tx != nil {
			n := copy(c.scratch[:], part)
			part = part[n:]
			if c.OnOutput != nil {
				c.OnOutput(c.scratch[:n])
			}
		}
	}
}

// deliver gives the guest as much input as it has room for.
func (c *Console) deliver() error {
	if c.rx == nil {
		return nil
	}
	delivered := false
	for len(c.input) > 0 {
		chain, err := c.rx.Next()
		if err != nil {
			return fmt.Errorf("%s: take an input buffer: %w", c.name, err)
		}
		if chain == nil {
			break
		}
		if chain.ReadLen() > 0 || chain.WriteLen() == 0 {
			return fmt.Errorf("%s: input buffer of %d bytes to read and %d to write: must be only to write",
				c.name, chain.ReadLen(), chain.WriteLen())
		}
		n := chain.CopyIn(0, c.input)
		c.input = c.input[n:]
		c.rx.Done(chain, n)
		delivered = true
	}
	if len(c.input) == 0 {
		c.input = nil // or its array would grow for ever
	}
	if delivered {
		c.rx.Notify()
	}
	return nil
}
