package vhostuser

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"

	"golang.org/x/sys/unix"
)

// TestKickThatIsTaken has a guest kick, and take the kick itself before it is read:
// the flags of what it gave are its own as well, and say that reads wait.
func TestKickThatIsTaken(t *testing.T) {
	h := newFrontEnd(t)
	kick, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kick)
	h.send(setVringKick, u64(0), kick)
	h.conn().ready()
	if err := unix.SetNonblock(kick, false); err != nil {
		t.Fatal(err)
	}
	for _, ready := range h.watched {
		ready() // as if there had been a kick: it must come back
	}
	if h.err != nil {
		t.Errorf("the guest has done nothing wrong, and the device says %v", h.err)
	}
}

// TestInterruptsThatNobodyTakes interrupts a guest that has let its end fill up.
func TestInterruptsThatNobodyTakes(t *testing.T) {
	h := newFrontEnd(t)
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ours)
	defer unix.Close(theirs)
	h.send(setVringCall, u64(0), theirs)
	h.conn().ready()
	if err := unix.SetNonblock(theirs, false); err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		h.conn().interrupt(0)
	}
}

// greedy is a device whose driver adds a buffer for each that is taken.
type greedy struct {
	counter
	r *virtiotest.Ring
	n int
}

func (g *greedy) Kick(int) error {
	for {
		c, err := g.queue.Next()
		if c == nil || err != nil {
			return err
		}
		g.n++
		g.queue.Done(c, 0)
		g.r.Results()
		g.r.Add(nil, []int{4})
	}
}

// counter is as much of a device as the tests here need.
type counter struct{ queue *virtio.Queue }

func (*counter) ID() uint32                  { return virtio.IDRNG }
func (*counter) Features() uint64            { return 0 }
func (*counter) Queues() int                 { return 1 }
func (*counter) Config() []byte              { return nil }
func (*counter) SetConfig(int, []byte) error { return nil }
func (*counter) Kick(int) error              { return nil }
func (c *counter) Stop()                     { c.queue = nil }
func (c *counter) Start(_ uint64, q []*virtio.Queue) error {
	c.queue = q[0]
	return nil
}

// slow is a device that keeps the buffers that it takes, and gives none back by itself.
type slow struct {
	counter
	has []*virtio.Chain
}

func (s *slow) Kick(int) error {
	for {
		c, err := s.queue.Next()
		if c == nil || err != nil {
			return err
		}
		s.has = append(s.has, c)
	}
}

func (s *slow) Stop() { s.queue, s.has = nil, nil }

// TestMemoryInTheMiddle changes the guest's memory, as QEMU does, while a device has buffers. Its
// driver waits for each of them: the device gets those again that it has not given back.
func TestMemoryInTheMiddle(t *testing.T) {
	dev := new(slow)
	h := newFrontEndFor(t, dev, Options{})
	r := h.setUp(8, virtio.FeatureVersion1)
	table := func() {
		h.tell(setMemTable, h.table(virtiotest.Base, uint64(len(h.mem.Data)), virtiotest.UserBase, 0), h.mem.FD)
	}
	for i := range 4 {
		r.Add(nil, []int{4 + i})
	}
	h.kick(0)
	if len(dev.has) != 4 {
		t.Fatalf("the device has %d buffers, not 4", len(dev.has))
	}
	dev.queue.Done(dev.has[2], 1) // in another order than they came
	table()                       // and no kick follows: there has been one
	if len(dev.has) != 3 {
		t.Fatalf("the device has %d buffers again, not 3", len(dev.has))
	}
	table()
	r.Add(nil, []int{8})
	h.kick(0)
	var sizes []int
	for _, c := range dev.has {
		sizes = append(sizes, len(c.Writable[0]))
	}
	if want := []int{4, 5, 7, 8}; !slices.Equal(sizes, want) {
		t.Fatalf("then it has buffers of %d bytes, want %d", sizes, want)
	}
	for _, c := range dev.has {
		dev.queue.Done(c, 1)
	}
	if got := len(r.Results()); got != 5 || h.err != nil {
		t.Errorf("%d of 5 buffers have come back, and the device says %v", got, h.err)
	}
	r.Add(nil, []int{4})
	h.kick(0)
	h.tell(setFeatures, u64(virtio.FeatureVersion1)) // a driver that begins anew waits for nothing
	for i := range h.conn().rings {
		if n := len(h.conn().rings[i].again); n != 0 {
			t.Errorf("a new driver waits for %d buffers of the old one", n)
		}
	}
}

// TestKickWithoutEnd has a driver add buffers as fast as they are taken. In real
// time others must have their turn; in virtual time, where a guest stands still
// while it is answered, it is no good one.
func TestKickWithoutEnd(t *testing.T) {
	for _, inBand := range []bool{false, true} {
		dev := &greedy{}
		h := newFrontEndFor(t, dev, Options{InBand: inBand})
		dev.r = h.setUp(8, virtio.FeatureVersion1)
		dev.r.Add(nil, []int{4})
		h.kick(0)
		switch {
		case dev.n != kickBound:
			t.Errorf("in band %t: %d buffers in one kick, want %d", inBand, dev.n, kickBound)
		case inBand && !errors.Is(h.err, virtio.ErrBroken):
			t.Errorf("in band the device says %v", h.err)
		case !inBand && (h.err != nil || len(h.posted) != 1):
			t.Errorf("%d calls are posted, and the device says %v", len(h.posted), h.err)
		}
		if inBand {
			continue
		}
		h.kick(0) // one that goes on is enough
		h.posted[0]()
		if len(h.posted) != 2 || dev.n != 2*kickBound {
			t.Errorf("then %d calls are posted after %d buffers", len(h.posted), dev.n)
		}
	}
}

// harness drives a server without a socket in the file system or another
// goroutine: what it watches is called by the test.
type harness struct {
	*Server
	t       testing.TB
	fd      int // the front end's
	mem     *virtiotest.Memory
	err     error // the first
	watched map[int]func()
	posted  []func()
	out     []byte
}

func newFrontEnd(t testing.TB) *harness { return newFrontEndFor(t, &counter{}, Options{}) }

func newFrontEndFor(t testing.TB, dev virtio.Device, opts Options) *harness {
	t.Helper()
	h := &harness{t: t, mem: virtiotest.NewMemory(t, 1<<20)}
	h.begin(dev, opts)
	t.Cleanup(h.end)
	return h
}

// begin serves a device, to a guest that has just connected.
func (h *harness) begin(dev virtio.Device, opts Options) {
	h.watched, h.posted, h.err = make(map[int]func()), nil, nil
	opts.Poller = h
	if opts.Patience == 0 {
		opts.Patience = patience
	}
	opts.OnError = func(err error) {
		if h.err == nil {
			h.err = err
		}
	}
	h.Server = &Server{dev: dev, opts: opts, listen: -1}
	h.fd = -1
	h.connect()
}

// connect is a new connection of the guest's, once it has no other.
func (h *harness) connect() {
	if h.Server.conn != nil {
		return
	}
	if h.fd >= 0 {
		unix.Close(h.fd)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		h.t.Fatal(err)
	}
	h.fd = theirs
	h.Server.conn = newConn(h.Server, ours)
	_ = h.Watch(ours, h.Server.conn.ready)
}

func (h *harness) end() {
	h.Close()
	unix.Close(h.fd)
}

func (h *harness) conn() *conn { return h.Server.conn }

func (h *harness) Watch(fd int, ready func()) error { h.watched[fd] = ready; return nil }
func (h *harness) Unwatch(fd int)                   { delete(h.watched, fd) }
func (h *harness) Post(f func())                    { h.posted = append(h.posted, f) }

func (h *harness) send(request uint32, payload []byte, fds ...int) {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	h.out = appendMessage(h.out[:0], request, version, payload)
	_, _ = unix.SendmsgN(h.fd, h.out, rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
}

// tell sends a message and has it heard.
func (h *harness) tell(request uint32, payload []byte, fds ...int) {
	h.send(request, payload, fds...)
	if c := h.conn(); c != nil {
		c.ready()
	}
}

func (h *harness) kick(i uint32) { h.tell(vringKick, pair32(i, 0)) }

// setUp is what a good driver does up to the first kick, for queue 0.
func (h *harness) setUp(size int, features uint64) *virtiotest.Ring {
	h.tell(setFeatures, u64(features))
	h.tell(setMemTable, h.table(virtiotest.Base, uint64(len(h.mem.Data)), virtiotest.UserBase, 0), h.mem.FD)
	r := virtiotest.NewRing(h.mem, size, features)
	h.tell(setVringNum, pair32(0, uint32(size)))
	h.tell(setVringAddr, h.addresses(0, r))
	h.tell(setVringEnable, pair32(0, 1))
	return r
}

func (h *harness) table(values ...uint64) []byte {
	b := pair32(uint32(len(values)/4), 0)
	for _, v := range values {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

func (h *harness) addresses(queue uint32, r *virtiotest.Ring) []byte {
	b := pair32(queue, 0)
	for _, a := range []uint64{r.DescAddr, r.UsedAddr, r.AvailAddr, virtiotest.Base} {
		b = binary.NativeEndian.AppendUint64(b, a-virtiotest.Base+virtiotest.UserBase)
	}
	return b
}
