package vhostuser

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph/gpio"
	"backplane/periph/rng"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// TestOtherOrder goes QEMU's way: queues are enabled before they are set up, interrupts come
// through eventfds that change while the device is at work, and a queue that has ended
// begins anew without being enabled again.
func TestOtherOrder(t *testing.T) {
	_, f := trusted(t, rng.New("rng", new(counting)))
	features := f.get(getFeatures, nil) &^ featureProtocol
	first, second, kick := f.eventfd(), f.eventfd(), f.eventfd()
	f.must(setVringCall, u64(0), first)
	f.must(setVringEnable, pair32(0, 1))
	for range 2 {
		f.must(setFeatures, u64(features))
		f.must(setMemTable, f.memTable(uint64(len(f.mem.Data))), f.mem.FD)
		r := f.ring(0, features)
		f.must(setVringKick, u64(0), kick)
		for _, call := range []int{first, second} {
			f.must(setVringCall, u64(0), call)
			r.Add(nil, []int{4})
			if _, err := unix.Write(kick, one); err != nil {
				t.Fatal(err)
			}
			waitEvent(t, call)
			if got := r.Results(); len(got) != 1 || got[0].Written != 4 {
				t.Fatalf("%d buffers came back", len(got))
			}
		}
		if base := f.get(getVringBase, pair32(0, 0)); base>>32 != 2 {
			t.Errorf("the ring has ended at %d, want 2", base>>32)
		}
	}
}

// lazy is a device that answers only when it has to.
type lazy struct {
	virtio.Plain
	q    *virtio.Queue
	held []*virtio.Chain
}

func (s *lazy) Start(_ uint64, queues []*virtio.Queue) error {
	s.q = queues[0]
	return nil
}

func (s *lazy) Kick(int) error {
	return s.q.Serve(func(c *virtio.Chain) (bool, error) {
		s.held = append(s.held, c)
		return true, nil
	})
}

func (s *lazy) Drain() {
	for _, c := range s.held {
		c.CopyIn(0, []byte{7})
		s.q.Done(c, 1)
	}
	s.held = nil
}

func (s *lazy) Stop() { s.held = nil }

// TestLastRequests: a driver takes a ring away while a request is under way, which has been
// done and answered when the device says where the ring has ended.
func TestLastRequests(t *testing.T) {
	d, f := trusted(t, &lazy{Plain: virtio.NewPlain("lazy", virtio.IDBlock, 1)})
	features, call, kick := f.get(getFeatures, nil)&^featureProtocol, f.eventfd(), f.eventfd()
	f.must(setFeatures, u64(features))
	f.must(setMemTable, f.memTable(uint64(len(f.mem.Data))), f.mem.FD)
	r := f.ring(0, features)
	f.must(setVringCall, u64(0), call)
	f.must(setVringKick, u64(0), kick)
	f.must(setVringEnable, pair32(0, 1))
	r.Add(nil, []int{1})
	if _, err := unix.Write(kick, one); err != nil {
		t.Fatal(err)
	}
	for d.Do(func() {}); kicked(t, kick); d.Do(func() {}) { // until it was taken
	}
	if got := r.Results(); len(got) != 0 {
		t.Fatalf("%d requests are answered already", len(got))
	}
	base := f.get(getVringBase, pair32(0, 0))
	if got := r.Results(); base>>32 != 1 || len(got) != 1 || got[0].Bytes()[0] != 7 {
		t.Errorf("%d requests are answered when the ring has ended, at %d", len(got), base>>32)
	}
}

// trusted serves a device to a front end that has interrupts through eventfds, as QEMU has.
func trusted(t *testing.T, dev virtio.Device) (*simbus.Domain, *frontEnd) {
	t.Helper()
	cal := simbus.NewReal()
	t.Cleanup(func() { cal.Close() })
	d, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "device.sock")
	var s *Server
	d.Do(func() {
		s, err = Listen(path, dev, Options{Poller: d, EventFD: true, OnError: func(err error) { t.Error(err) }})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Do(func() { s.Close() }) })
	f := dial(t, path)
	f.negotiate()
	return d, f
}

// must asks for what may not be refused.
func (f *frontEnd) must(request uint32, payload []byte, fds ...int) {
	f.t.Helper()
	if !f.do(request, payload, fds...) {
		f.t.Fatalf("%s was refused", requestNames[request])
	}
}

// ring gives queue i a ring of 8.
func (f *frontEnd) ring(i uint32, features uint64) *virtiotest.Ring {
	f.t.Helper()
	r := virtiotest.NewRing(f.mem, 8, features)
	f.must(setVringNum, pair32(i, 8))
	f.must(setVringBase, pair32(i, 0))
	addr := pair32(i, 0)
	for _, a := range []uint64{r.DescAddr, r.UsedAddr, r.AvailAddr, virtiotest.Base} {
		addr = append(addr, u64(a-virtiotest.Base+virtiotest.UserBase)...)
	}
	f.must(setVringAddr, addr)
	return r
}

// waitEvent waits for an eventfd, and empties it.
func waitEvent(t *testing.T, fd int) {
	t.Helper()
	if err := waitReadable(fd, fd, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	var count [8]byte
	if _, err := unix.Read(fd, count[:]); err != nil || binary.NativeEndian.Uint64(count[:]) == 0 {
		t.Fatal(err)
	}
}

// TestEventFD: only front ends that are trusted have interrupts through eventfds, and nobody
// through other files.
func TestEventFD(t *testing.T) {
	path, errs := serve(t)
	f := dial(t, path)
	f.negotiate()
	if f.do(setVringCall, u64(0), f.eventfd()) {
		t.Error("an eventfd of a guest is taken")
	}
	if err := <-errs; !strings.Contains(err.Error(), "a file that is not a socket") {
		t.Error(err)
	}
	c := conn{s: &Server{opts: Options{EventFD: true}}}
	if _, err := c.callKind(f.mem.FD); err == nil || err.Error() != "a file that is neither a socket nor an eventfd" {
		t.Errorf("memory: %v", err)
	}
}

// TestQueuesThatAreNotSetUp has a driver of a GPIO controller that wants no interrupts, and so
// sets up only its request queue, of two that QEMU enables: its requests are answered. One
// that wants them, and is early with its first request, is answered once it has set up both.
func TestQueuesThatAreNotSetUp(t *testing.T) {
	const irq = 1 // VIRTIO_GPIO_F_IRQ
	for _, wants := range []bool{false, true} {
		d, f := trusted(t, gpio.New("gpio0", []string{"a", "b"}))
		features := f.get(getFeatures, nil) &^ featureProtocol
		if !wants {
			features &^= irq
		}
		f.must(setVringEnable, pair32(0, 1))
		f.must(setVringEnable, pair32(1, 1))
		f.must(setFeatures, u64(features))
		f.must(setMemTable, f.memTable(uint64(len(f.mem.Data))), f.mem.FD)
		setUp := func(i uint32) (r *virtiotest.Ring, kick, call int) {
			t.Helper()
			r, kick, call = f.ring(i, features), f.eventfd(), f.eventfd()
			f.must(setVringCall, u64(uint64(i)), call)
			f.must(setVringKick, u64(uint64(i)), kick)
			return r, kick, call
		}
		requests, kick, call := setUp(0)
		requests.Add([][]byte{{2, 0, 1, 0, 0, 0, 0, 0}}, []int{2}) // VIRTIO_GPIO_MSG_GET_DIRECTION of line 1
		if _, err := unix.Write(kick, one); err != nil {
			t.Fatal(err)
		}
		if wants {
			for d.Do(func() {}); kicked(t, kick); d.Do(func() {}) { // until the kick was taken
			}
			if got := requests.Results(); len(got) != 0 {
				t.Errorf("%d requests are answered before all queues are there", len(got))
			}
			setUp(1)
		}
		waitEvent(t, call)
		if got := requests.Results(); len(got) != 1 || got[0].Written != 2 {
			t.Errorf("the request came back as %+v", got)
		}
	}
}

// kicked tells whether a kick has not been taken yet.
func kicked(t *testing.T, fd int) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	return fds[0].Revents != 0
}
