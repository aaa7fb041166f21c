package virtio_test

import (
	"errors"
	"testing"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"

	"github.com/google/go-cmp/cmp"
)

// back is a device that gives each buffer back, up to a number of them in a row.
type back struct {
	virtio.Plain
	queue *virtio.Queue
	most  int
	err   error
}

func (e *back) Start(_ uint64, queues []*virtio.Queue) error {
	e.queue = queues[0]
	return e.Started(queues, 1)
}

func (e *back) Stop() { e.queue = nil }

func (e *back) Kick(int) error {
	row := 0
	return e.queue.Serve(func(c *virtio.Chain) (more bool, err error) {
		if e.err != nil {
			return false, e.err
		}
		e.queue.Done(c, c.CopyIn(0, []byte{1}))
		row++
		return row < e.most, nil
	})
}

// TestServe: a device is given the buffers in their order until it has enough, and its
// driver is interrupted once.
func TestServe(t *testing.T) {
	dev := &back{Plain: virtio.NewPlain("echo0", 1234, 1), most: 2}
	d := virtiotest.Start(t, dev, 8, 0)
	for range 3 {
		d.Rings[0].Add([][]byte{{0}}, []int{1})
	}
	var got [][2]int // answers, and interrupts so far
	for range 3 {
		d.Kick(0)
		got = append(got, [2]int{len(d.Rings[0].Results()), d.Interrupts[0]})
	}
	if diff := cmp.Diff([][2]int{{2, 1}, {1, 2}, {0, 2}}, got); diff != "" || d.Failure != nil {
		t.Errorf("answers and interrupts of three kicks (-want +got), %v:\n%s", d.Failure, diff)
	}
	dev.err = errors.New("no more")
	d.Rings[0].Add([][]byte{{0}}, []int{1})
	if d.Kick(0); !errors.Is(d.Failure, dev.err) {
		t.Errorf("the device ended with %v, want %v", d.Failure, dev.err)
	}
}

// TestPlain: what a device has that says nothing itself.
func TestPlain(t *testing.T) {
	p := virtio.NewPlain("echo0", 1234, 2)
	if p.ID() != 1234 || p.Features() != 0 || p.Queues() != 2 || len(p.Config()) != 0 || p.SetConfig(0, nil) == nil {
		t.Errorf("device %d, features %#x, %d queues, configuration %x", p.ID(), p.Features(), p.Queues(), p.Config())
	}
	if err := p.Started([]*virtio.Queue{new(virtio.Queue), nil}, 2); err == nil || err.Error() != "echo0: started without its queue 1" {
		t.Errorf("started without a queue: %v", err)
	}
	if err := p.Started([]*virtio.Queue{new(virtio.Queue), nil}, 1); err != nil {
		t.Errorf("started without a queue that it can do without: %v", err)
	}
}
