package virtio_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"pgregory.net/rapid"
)

// echo is a device that writes back what it reads.
type echo struct{ queue *virtio.Queue }

func (e *echo) ID() uint32                              { return 99 }
func (e *echo) Features() uint64                        { return 0 }
func (e *echo) Queues() int                             { return 1 }
func (e *echo) Config() []byte                          { return nil }
func (e *echo) SetConfig(int, []byte) error             { return nil }
func (e *echo) Start(_ uint64, q []*virtio.Queue) error { e.queue = q[0]; return nil }
func (e *echo) Stop()                                   { e.queue = nil }
func (e *echo) Kick(int) error {
	for {
		c, err := e.queue.Next()
		if err != nil {
			return err
		}
		if c == nil {
			e.queue.Notify()
			return nil
		}
		p := make([]byte, c.ReadLen())
		c.CopyOut(p, 0)
		e.queue.Done(c, c.CopyIn(0, p))
	}
}

var ringFeatures = map[string]uint64{
	"plain": 0, "indirect": virtio.FeatureIndirectDesc, "event index": virtio.FeatureEventIdx,
	"both": virtio.FeatureIndirectDesc | virtio.FeatureEventIdx,
}

// TestQueue sends random buffers, cut in random ways, through all kinds of rings.
func TestQueue(t *testing.T) {
	for name, features := range ringFeatures {
		t.Run(name, func(t *testing.T) {
			d := virtiotest.Start(t, &echo{}, 8, features)
			rapid.Check(t, func(rt *rapid.T) {
				var want [][]byte
				for range rapid.IntRange(1, 2).Draw(rt, "buffers") {
					out := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 2).Draw(rt, "out")
					in := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 2).Draw(rt, "in")
					room := 0
					for _, n := range in {
						room += n
					}
					text := bytes.Join(out, nil)
					want = append(want, text[:min(room, len(text))])
					d.Rings[0].Add(out, in)
				}
				before := d.Interrupts[0]
				d.Kick(0)
				got := d.Rings[0].Results()
				if d.Failure != nil || len(got) != len(want) {
					rt.Fatalf("%d of %d buffers came back, %v", len(got), len(want), d.Failure)
				}
				for i := range got {
					if !bytes.Equal(got[i].Bytes(), want[i]) {
						rt.Fatalf("buffer %d holds %x, want %x", i, got[i].Bytes(), want[i])
					}
				}
				if n := d.Interrupts[0] - before; n != 1 {
					rt.Fatalf("%d interrupts for one kick, want 1", n)
				}
			})
		})
	}
}

// TestHostileDriver breaks the rules: the device stops, and says why.
func TestHostileDriver(t *testing.T) {
	const base = virtiotest.Base
	tests := []struct {
		name  string
		spoil func(r *virtiotest.Ring, m *virtiotest.Memory)
		want  string
	}{
		{"address outside", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base-1, 16, 0, 0)
			r.Publish(0)
		}, "are not in its memory"},
		{"address and length wrap around", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, ^uint64(0)-8, 16, 0, 0)
			r.Publish(0)
		}, "are not in its memory"},
		{"length beyond the end", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base+uint64(len(m.Data))-8, 9, 0, 0)
			r.Publish(0)
		}, "are not in its memory"},
		{"too long", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base, 1<<31, 0, 0)
			r.Publish(0)
		}, "more than"},
		{"loop", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base, 1, virtiotest.Next, 1)
			virtiotest.PutDesc(r.Desc, 1, base, 1, virtiotest.Next, 0)
			r.Publish(0)
		}, "or a loop"},
		{"head out of range", func(r *virtiotest.Ring, m *virtiotest.Memory) { r.Publish(8) }, "descriptor 8 of 8"},
		{"next out of range", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base, 1, virtiotest.Next, 500)
			r.Publish(0)
		}, "descriptor 500 of 8"},
		{"available index jumps", func(r *virtiotest.Ring, m *virtiotest.Memory) { r.SetAvail(100) }, "available index went from 0 to 100"},
		{"readable behind writable", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base, 1, virtiotest.Next|virtiotest.Write, 1)
			virtiotest.PutDesc(r.Desc, 1, base, 1, 0, 0)
			r.Publish(0)
		}, "readable descriptor after a writable one"},
		{"indirect in indirect", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			addr, table := m.Alloc(32)
			virtiotest.PutDesc(table, 0, addr, 16, virtiotest.Indirect, 0)
			virtiotest.PutDesc(r.Desc, 0, addr, 32, virtiotest.Indirect, 0)
			r.Publish(0)
		}, "misplaced indirect descriptor"},
		{"indirect table of odd length", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, base, 17, virtiotest.Indirect, 0)
			r.Publish(0)
		}, "indirect table of 17 bytes"},
		{"indirect table outside", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			virtiotest.PutDesc(r.Desc, 0, 16, 32, virtiotest.Indirect, 0)
			r.Publish(0)
		}, "are not in its memory"},
		{"loop in an indirect table", func(r *virtiotest.Ring, m *virtiotest.Memory) {
			addr, table := m.Alloc(32)
			virtiotest.PutDesc(table, 0, base, 1, virtiotest.Next, 1)
			virtiotest.PutDesc(table, 1, base, 1, virtiotest.Next, 0)
			virtiotest.PutDesc(r.Desc, 0, addr, 32, virtiotest.Indirect, 0)
			r.Publish(0)
		}, "or a loop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &echo{}
			d := virtiotest.Start(t, e, 8, virtio.FeatureIndirectDesc)
			tt.spoil(d.Rings[0], d.Memory)
			d.Kick(0)
			if !errors.Is(d.Failure, virtio.ErrBroken) || !strings.Contains(d.Failure.Error(), tt.want) {
				t.Errorf("the device says %v, want %q in it", d.Failure, tt.want)
			}
			if e.queue != nil {
				t.Error("the device was not stopped")
			}
		})
	}
}

func TestQueueWhereItCannotBe(t *testing.T) {
	m := virtiotest.NewMemory(t, 1<<20)
	good := virtio.QueueConfig{Size: 8, Desc: virtiotest.UserBase, Avail: virtiotest.UserBase + 256, Used: virtiotest.UserBase + 512, Memory: m.Virtio()}
	if _, err := virtio.NewQueue(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*virtio.QueueConfig){
		"no size":      func(c *virtio.QueueConfig) { c.Size = 0 },
		"odd size":     func(c *virtio.QueueConfig) { c.Size = 6 },
		"huge size":    func(c *virtio.QueueConfig) { c.Size = 1 << 20 },
		"outside":      func(c *virtio.QueueConfig) { c.Desc = 0 },
		"over the end": func(c *virtio.QueueConfig) { c.Used = virtiotest.UserBase + 1<<20 - 4 },
		"not aligned":  func(c *virtio.QueueConfig) { c.Desc++ },
		"wraps around": func(c *virtio.QueueConfig) { c.Avail = ^uint64(0) - 3 },
	} {
		c := good
		spoil(&c)
		if _, err := virtio.NewQueue(c); !errors.Is(err, virtio.ErrBroken) {
			t.Errorf("%s: %v, want ErrBroken", name, err)
		}
	}
}

// FuzzRing lets a driver do to its ring whatever it likes: the device may fail, and
// must neither crash nor hang nor touch what is not the guest's.
func FuzzRing(f *testing.F) {
	f.Add([]byte("\x03\x01\x05\x04abcd\x08\x0c"))
	f.Add([]byte("\x01\x07\x01\x02\x00\x01\x01\x12\x08\x02\x00\x00\x00\x08\x00\x05\x0c"))
	f.Add([]byte("\x00\x06\x00\x02\x20\x01\x01\x06\x01\x12\x20\x02\x00\x08\x00\x09\x01\x05\x0a\x01\xff\x0b\x01\x05\x0c"))
	f.Add([]byte("\x02\x01\x05\x01a\x04\x0d\x00\x09\x0f\x05"))
	garbage := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		b := make([]byte, 100)
		for i := range b {
			b[i] = byte(garbage.Uint32())
		}
		f.Add(b)
	}
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d *virtiotest.Driver
		programs.Run(t, data, func(*simbus.Calendar, *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			return &echo{}, func(p *virtiotest.Program) { d = p.Driver }
		})
		if d != nil && d.Failure != nil && !errors.Is(d.Failure, virtio.ErrBroken) {
			t.Errorf("failed with %v, want ErrBroken", d.Failure)
		}
	})
}
