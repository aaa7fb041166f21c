package virtio_test

import (
	"testing"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"

	"pgregory.net/rapid"
)

// TestEventIndex: with a driver that kicks only when the device has asked for
// it, no buffer is left lying, and most kicks are saved; interrupts come exactly
// when the driver has asked for them. It goes on until the 16-bit indices have
// wrapped around several times.
func TestEventIndex(t *testing.T) {
	const size = 8
	d := virtiotest.Start(t, &echo{}, size, virtio.FeatureEventIdx)
	r := d.Rings[0]
	buffers, kicks := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		for range 1000 {
			n := 1 + buffers%(size/2)
			at := 1 + buffers/3%size
			r.InterruptAt(at)
			before := d.Interrupts[0]
			for range n {
				r.Add([][]byte{{1, 2}}, []int{2})
			}
			if r.KickWanted() {
				kicks++
				d.Kick(0)
			}
			if got := len(r.Results()); got != n || d.Failure != nil {
				rt.Fatalf("%d of %d buffers came back without a kick that the device did not want: %v", got, n, d.Failure)
			}
			want := 0
			if at <= n {
				want = 1
			}
			if got := d.Interrupts[0] - before; got != want {
				rt.Fatalf("%d interrupts for %d buffers, with one wanted at the %dth", got, n, at)
			}
			buffers += n
		}
	})
	if buffers < 3<<16 {
		t.Errorf("%d buffers are too few to wrap around", buffers)
	}
	if kicks >= buffers {
		t.Errorf("%d kicks for %d buffers", kicks, buffers)
	}
}

// lazy is a device that takes one buffer and leaves the others for later.
type lazy struct{ echo }

func (l *lazy) Kick(int) error {
	c, err := l.queue.Next()
	if c != nil {
		l.queue.Done(c, 0)
	}
	return err
}

// TestNoKicksWhileBusy: a device that has not emptied its queue is not kicked.
func TestNoKicksWhileBusy(t *testing.T) {
	d := virtiotest.Start(t, &lazy{}, 8, virtio.FeatureEventIdx)
	r := d.Rings[0]
	add := func() bool { r.Add([][]byte{{1}}, nil); return r.KickWanted() }
	if !add() {
		t.Error("the device wants no kick for the first buffer")
	}
	add()
	d.Kick(0) // takes the first and leaves the second
	if add() {
		t.Error("the device is kicked while it still has a buffer")
	}
	for range 3 { // the two that are left, and nothing
		d.Kick(0)
	}
	if !add() {
		t.Error("the device has emptied its queue and wants no kick")
	}
}
