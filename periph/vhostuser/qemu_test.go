package vhostuser

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph/rng"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// TestOtherOrder goes QEMU's way: queues are enabled before they are set up, interrupts come
// through eventfds that change while the device is at work, and a queue that has ended
// begins anew without being enabled again.
func TestOtherOrder(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	d, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rng.sock")
	var s *Server
	d.Do(func() {
		s, err = Listen(path, rng.New("rng", new(counting)), Options{Poller: d, EventFD: true, OnError: func(err error) { t.Error(err) }})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Do(func() { s.Close() })
	f := dial(t, path)
	must := func(request uint32, payload []byte, fds ...int) {
		t.Helper()
		if !f.do(request, payload, fds...) {
			t.Fatalf("%s was refused", requestNames[request])
		}
	}
	f.negotiate()
	features := f.get(getFeatures, nil) &^ featureProtocol
	first, second, kick := f.eventfd(), f.eventfd(), f.eventfd()
	must(setVringCall, u64(0), first)
	must(setVringEnable, pair32(0, 1))
	for range 2 {
		must(setFeatures, u64(features))
		must(setMemTable, f.memTable(uint64(len(f.mem.Data))), f.mem.FD)
		r := virtiotest.NewRing(f.mem, 8, features)
		must(setVringNum, pair32(0, 8))
		must(setVringBase, pair32(0, 0))
		addr := pair32(0, 0)
		for _, a := range []uint64{r.DescAddr, r.UsedAddr, r.AvailAddr, virtiotest.Base} {
			addr = append(addr, u64(a-virtiotest.Base+virtiotest.UserBase)...)
		}
		must(setVringAddr, addr)
		must(setVringKick, u64(0), kick)
		for _, call := range []int{first, second} {
			must(setVringCall, u64(0), call)
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
