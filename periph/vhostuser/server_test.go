package vhostuser

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"backplane/periph/rng"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// frontEnd is the guest's side of a connection, as Linux
// arch/um/drivers/virtio_uml.c is it.
type frontEnd struct {
	t   testing.TB
	fd  int
	mem *virtiotest.Memory
}

// counting is a source that never ends.
type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*c)
		*c++
	}
	return len(p), nil
}

// serve serves an rng device in real time, and tells of its errors.
func serve(t testing.TB) (path string, errs chan error) {
	t.Helper()
	path, errs, _ = serveWith(t, nil)
	return path, errs
}

// serveWith also returns the domain that the device is on.
func serveWith(t testing.TB, bells Bells) (path string, errs chan error, d *simbus.Domain) {
	t.Helper()
	cal := simbus.NewReal()
	d, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	errs = make(chan error, 100)
	path = filepath.Join(t.TempDir(), "rng.sock")
	var s *Server
	d.Do(func() {
		s, err = Listen(path, rng.New("rng", new(counting)), Options{Poller: d, Bells: bells, Memory: 8 << 20, OnError: func(err error) {
			select {
			case errs <- err:
			default:
			}
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Do(s.Close)
		cal.Close()
	})
	return path, errs, d
}

func dial(t testing.TB, path string) *frontEnd {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	tv := unix.Timeval{Sec: 20} // a server that does not answer must not hang the test
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		t.Fatal(err)
	}
	f := &frontEnd{t: t, fd: fd, mem: virtiotest.NewMemory(t, 1<<20)}
	t.Cleanup(func() {
		if f.fd >= 0 {
			unix.Close(fd)
		}
	})
	return f
}

func (f *frontEnd) send(request uint32, payload []byte, fds ...int) {
	f.t.Helper()
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(f.fd, appendMessage(nil, request, version|flagAck, payload), rights, nil, unix.MSG_NOSIGNAL); err != nil {
		f.t.Fatal(err)
	}
}

// reply reads one answer; nil if the server has hung up.
func (f *frontEnd) reply() []byte {
	f.t.Helper()
	buf := make([]byte, headerSize+maxPayload)
	n, err := unix.Read(f.fd, buf)
	for err == unix.EINTR {
		n, err = unix.Read(f.fd, buf)
	}
	if err != nil && err != unix.ECONNRESET {
		f.t.Fatalf("no answer: %v", err)
	}
	if n < headerSize {
		return nil
	}
	return buf[headerSize:n]
}

// do sends a request that is only acknowledged.
func (f *frontEnd) do(request uint32, payload []byte, fds ...int) (ok bool) {
	f.t.Helper()
	f.send(request, payload, fds...)
	r := f.reply()
	return len(r) == 8 && binary.NativeEndian.Uint64(r) == 0
}

func (f *frontEnd) get(request uint32, payload []byte) uint64 {
	f.t.Helper()
	f.send(request, payload)
	r := f.reply()
	if len(r) != 8 {
		f.t.Fatalf("%s is answered by %d bytes", requestNames[request], len(r))
	}
	return binary.NativeEndian.Uint64(r)
}

func pair32(a, b uint32) []byte {
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, a), b)
}

func (f *frontEnd) memTable(size uint64) []byte {
	b := pair32(1, 0)
	for _, v := range []uint64{virtiotest.Base, size, virtiotest.UserBase, 0} {
		b = append(b, u64(v)...)
	}
	return b
}

// negotiate takes all protocol features; from then on everything is answered.
func (f *frontEnd) negotiate() {
	f.t.Helper()
	if f.do(setProtocolFeatures, u64(f.get(getProtocolFeatures, nil))); f.get(getProtocolFeatures, nil)&protocolReplyAck == 0 {
		f.t.Fatal("nothing is acknowledged")
	}
}

// setUp goes through what virtio_uml does up to the first kick.
func (f *frontEnd) setUp() (r *virtiotest.Ring, kick, call int) {
	f.t.Helper()
	must := func(ok bool, what uint32) {
		f.t.Helper()
		if !ok {
			f.t.Fatalf("%s was refused", requestNames[what])
		}
	}
	f.negotiate()
	f.do(setOwner, nil)
	features := f.get(getFeatures, nil)
	if features&featureProtocol == 0 {
		f.t.Fatalf("features %#x without protocol features", features)
	}
	must(f.do(setFeatures, u64(features&^featureProtocol)), setFeatures)
	must(f.do(setMemTable, f.memTable(uint64(len(f.mem.Data))), f.mem.FD), setMemTable)
	r = virtiotest.NewRing(f.mem, 8, features)
	must(f.do(setVringNum, pair32(0, 8)), setVringNum)
	must(f.do(setVringBase, pair32(0, 0)), setVringBase)
	addr := pair32(0, 0)
	for _, a := range []uint64{r.DescAddr, r.UsedAddr, r.AvailAddr, virtiotest.Base} {
		addr = append(addr, u64(a-virtiotest.Base+virtiotest.UserBase)...)
	}
	must(f.do(setVringAddr, addr), setVringAddr)
	kick = f.eventfd()
	call, far, err := socketPair()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { unix.Close(call); unix.Close(far) })
	must(f.do(setVringKick, u64(0), kick), setVringKick)
	must(f.do(setVringCall, u64(0), far), setVringCall)
	must(f.do(setVringEnable, pair32(0, 1)), setVringEnable)
	return r, kick, call
}

func (f *frontEnd) eventfd() int {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if f.fd >= 0 {
			unix.Close(fd)
		}
	})
	return fd
}

var one = []byte{1, 0, 0, 0, 0, 0, 0, 0}

func TestOneGuestAfterAnother(t *testing.T) {
	path, errs := serve(t)
	next := byte(0)
	for range 3 {
		f := dial(t, path)
		r, kick, call := f.setUp()
		r.Add(nil, []int{4})
		if _, err := unix.Write(kick, one); err != nil {
			t.Fatal(err)
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(call), Events: unix.POLLIN}}, 20_000); n != 1 || err != nil {
			t.Fatalf("no interrupt: %v", err)
		}
		got := r.Results()
		if len(got) != 1 || string(got[0].Bytes()) != string([]byte{next, next + 1, next + 2, next + 3}) {
			t.Fatalf("got %v, want 4 bytes from %d on", got, next)
		}
		next += 4
		unix.Shutdown(f.fd, unix.SHUT_RDWR)
		// The next guest is let in once this one's going was seen.
		if f.reply() != nil {
			t.Fatal("an answer to nothing")
		}
	}
	select {
	case err := <-errs:
		t.Errorf("a good guest made the error %v", err)
	default:
	}
}

// bells are a guest's: what it rings for is done in turn, and what rings it is told.
type bells struct {
	answers chan func() // of bell 3, as it was set
	rung    chan int
}

func (b *bells) Answer(bell int, f func()) {
	if bell == 3 {
		b.answers <- f
	}
}
func (b *bells) Ring(bell int) { b.rung <- bell }

// TestBells lets notifications go by doorbells in both directions.
// TestEndThatIsGivenAway has a guest give its own end of the connection to the device, and
// end: nobody hangs up. The next kernel of the board has the device all the same.
func TestEndThatIsGivenAway(t *testing.T) {
	cal := simbus.NewReal()
	d, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	defer cal.Close()
	path := filepath.Join(t.TempDir(), "rng.sock")
	var s *Server
	d.Do(func() { s, err = Listen(path, rng.New("rng", new(counting)), Options{Poller: d}) })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Do(s.Close)
	first := dial(t, path)
	first.negotiate()
	if !first.do(setBackendReqFD, nil, first.fd) {
		t.Fatal("the device does not take a descriptor")
	}
	if err := unix.Close(first.fd); err != nil {
		t.Fatal(err)
	}
	first.fd = -1
	if second := dial(t, path); second.reply() != nil {
		t.Error("the same kernel has the device twice")
	}
	d.Do(func() { s.conn.peer = 1 }) // another process than this one
	dial(t, path).negotiate()
}

func TestBells(t *testing.T) {
	b := &bells{answers: make(chan func(), 2), rung: make(chan int, 1)}
	path, errs, d := serveWith(t, b)
	f := dial(t, path)
	r, _, _ := f.setUp()
	if !f.do(setVringKick, u64(noFD|3<<bellShift)) {
		t.Fatal("the doorbell is refused")
	}
	answer := <-b.answers
	r.Add(nil, []int{4})
	d.Do(answer)
	if bell := <-b.rung; bell != 3 {
		t.Errorf("bell %d rang, want 3", bell)
	}
	if got := r.Results(); len(got) != 1 || len(got[0].Bytes()) != 4 {
		t.Errorf("got %v, want 4 bytes", got)
	}
	if f.do(setVringKick, u64(noFD|simbus.Bells<<bellShift)) {
		t.Error("a doorbell that there is not is taken")
	}
	if err := <-errs; !strings.Contains(err.Error(), "doorbell 256 of 256") {
		t.Errorf("error %q", err)
	}
}

// TestRoomForRegions has a front end send a memory table with room for a second region.
func TestRoomForRegions(t *testing.T) {
	path, _ := serve(t)
	f := dial(t, path)
	f.negotiate()
	if !f.do(setMemTable, append(f.memTable(uint64(len(f.mem.Data))), make([]byte, regionSize)...), f.mem.FD) {
		t.Error("it was refused")
	}
}

func TestHostileFrontEnd(t *testing.T) {
	tests := []struct {
		name string
		do   func(f *frontEnd)
		want string
	}{
		{"features that were not offered", func(f *frontEnd) { f.do(setFeatures, u64(^uint64(0))) }, "were not offered"},
		{"queue that there is not", func(f *frontEnd) { f.setUp(); f.do(setVringNum, pair32(7, 8)) }, "for queue 7 of 1"},
		{"memory longer than its file", func(f *frontEnd) { f.do(setMemTable, f.memTable(4<<20), f.mem.FD) }, "of a memory file of"},
		{"memory without a file", func(f *frontEnd) { f.do(setMemTable, f.memTable(4096)) }, "0 file descriptors"},
		{"rings outside memory", func(f *frontEnd) {
			f.setUp()
			f.do(setVringAddr, append(pair32(0, 0), make([]byte, 32)...))
			f.do(setVringEnable, pair32(0, 1))
		}, "are not in its memory"},
		{"more memory than it has", func(f *frontEnd) {
			if err := unix.Ftruncate(f.mem.FD, 1<<40); err != nil {
				f.t.Fatal(err)
			}
			f.do(setMemTable, f.memTable(1<<40), f.mem.FD)
		}, "where there may be 8388608 more"},
		{"interrupts that may wait for ever", func(f *frontEnd) {
			f.setUp()
			f.do(setVringCall, u64(0), f.eventfd())
		}, "through a file that is not a socket"},
		{"kicks that cannot be read", func(f *frontEnd) {
			f.setUp()
			fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			if err == nil {
				err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, f.fd, &unix.EpollEvent{Events: unix.EPOLLOUT})
			}
			if err != nil {
				f.t.Fatal(err)
			}
			f.t.Cleanup(func() { unix.Close(fd) })
			f.do(setVringKick, u64(0), fd)
		}, "kick of queue 0"},
		{"short message", func(f *frontEnd) { f.do(setVringAddr, []byte{1, 2, 3}) }, "SET_VRING_ADDR of 3 bytes"},
		{"unknown message", func(f *frontEnd) { f.do(99, nil) }, "unknown message 99"},
		{"configuration beyond its end", func(f *frontEnd) {
			f.setUp()
			f.do(setConfig, append(append(pair32(8, 4), 0, 0, 0, 0), 1, 2, 3, 4))
		}, "SET_CONFIG of 4 bytes at 8"},
		{"memory cut short under the device", func(f *frontEnd) {
			r, kick, _ := f.setUp()
			r.Add(nil, []int{4})
			if err := unix.Ftruncate(f.mem.FD, 0); err != nil {
				f.t.Fatal(err)
			}
			_, _ = unix.Write(kick, one)
		}, "has gone"},
		{"memory punched under the device", func(f *frontEnd) {
			r, kick, call := f.setUp()
			r.Add(nil, []int{4})
			_, _ = unix.Write(kick, one)
			if n, err := unix.Poll([]unix.PollFd{{Fd: int32(call), Events: unix.POLLIN}}, 20_000); n != 1 || err != nil {
				f.t.Fatalf("no interrupt: %v", err)
			}
			if err := unix.Fallocate(f.mem.FD, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(f.mem.Data))); err != nil {
				f.t.Fatal(err)
			}
			_, _ = unix.Write(kick, one)
		}, "available index went from 1 to 0"},
		{"a message of a megabyte", func(f *frontEnd) {
			b := appendMessage(nil, setConfig, version, nil)
			binary.NativeEndian.PutUint32(b[8:], 1<<20)
			_, _ = unix.Write(f.fd, b)
		}, "SET_CONFIG of 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, errs := serve(t)
			f := dial(t, path)
			f.negotiate()
			tt.do(f)
			if err := <-errs; !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the device says %v, want %q in it", err, tt.want)
			}
			// Another guest finds the device as good as new.
			unix.Shutdown(f.fd, unix.SHUT_RDWR)
			for f.reply() != nil {
			}
			dial(t, path).setUp()
		})
	}
}

// TestInBand has kicks and calls go over the sockets, in virtual time, while
// the guest waits for the answer to its kick.
func TestInBand(t *testing.T) {
	cal := simbus.NewVirtual()
	defer cal.Close()
	d, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rng.sock")
	called := 0
	s, err := Listen(path, rng.New("rng", new(counting)), Options{Poller: direct{d}, InBand: true, BeforeCall: func() { called++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := dial(t, path)
	s.accept()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	step := func(request uint32, payload []byte, fds ...int) {
		f.send(request, payload, fds...)
		s.conn.ready()
		f.reply()
	}
	step(setProtocolFeatures, u64(protocolReplyAck|protocolInBand|protocolBackendReq))
	step(setFeatures, u64(virtio.FeatureVersion1))
	step(setBackendReqFD, nil, theirs)
	step(setMemTable, f.memTable(uint64(len(f.mem.Data))), f.mem.FD)
	r := virtiotest.NewRing(f.mem, 8, 0)
	step(setVringNum, pair32(0, 8))
	addr := pair32(0, 0)
	for _, a := range []uint64{r.DescAddr, r.UsedAddr, r.AvailAddr, virtiotest.Base} {
		addr = append(addr, u64(a-virtiotest.Base+virtiotest.UserBase)...)
	}
	step(setVringAddr, addr)
	step(setVringEnable, pair32(0, 1))
	r.Add(nil, []int{4})
	go func() { // the guest's signal handler: it answers the call while its kick waits
		var b [headerSize + 8]byte
		if n, err := unix.Read(ours, b[:]); err == nil && n > 0 {
			_, _ = unix.Write(ours, appendMessage(nil, backendVringCall, version|flagReply, u64(0)))
		}
	}()
	step(vringKick, pair32(0, 0))
	if got := r.Results(); len(got) != 1 || got[0].Written != 4 || called != 1 {
		t.Errorf("%d buffers came back, and the guest was called %d times", len(got), called)
	}
	if _, err := cal.Advance(context.Background(), 1, nil); err != nil {
		t.Fatal(err)
	}
}

// direct watches nothing: the test calls what is ready itself.
type direct struct{ *simbus.Domain }

func (direct) Watch(int, func()) error { return nil }
func (direct) Unwatch(int)             {}

func socketPair() (a, b int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	return fds[0], fds[1], err
}
