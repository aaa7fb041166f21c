package simbus

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fakeKernel is a guest's side of turns and doorbells, as Linux
// arch/um/kernel/time.c has it with firmware/kernel/patches.
type fakeKernel struct {
	conn int
	shm  []byte
}

func (k *fakeKernel) word32(off int) *uint32 { return (*uint32)(unsafe.Pointer(&k.shm[off])) }
func (k *fakeKernel) word64(off int) *uint64 { return (*uint64)(unsafe.Pointer(&k.shm[off])) }

// connect does what a kernel does first, and takes the shared page up.
func (k *fakeKernel) connect(path string) (err error) {
	if k.conn, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err = unix.Connect(k.conn, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	var msg [ttMessageSize]byte
	binary.NativeEndian.PutUint32(msg[0:], ttStart)
	if _, err = unix.Write(k.conn, msg[:]); err != nil {
		return err
	}
	oob := make([]byte, unix.CmsgSpace(2*4))
	_, n, _, _, err := unix.Recvmsg(k.conn, msg[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return errors.Join(err, io.ErrUnexpectedEOF)
	}
	cmsgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&cmsgs[0])
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	if k.shm, err = unix.Mmap(fds[0], 0, shmLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return err
	}
	atomic.OrUint32(k.word32(clientAt(shmGuest)+clientOffCapa), shmCapTimeShare|shmCapTurn)
	return nil
}

// wait ends the turn and returns the time of the next; until is when it wants
// that, Never for no wish of its own.
func (k *fakeKernel) wait(until Time) Time {
	flags, turn := k.word32(clientAt(shmGuest)+clientOffFlags), k.word32(clientAt(shmGuest)+clientOffTurn)
	if until != Never {
		atomic.StoreUint64(k.word64(clientAt(shmGuest)+clientOffReqTime), uint64(until))
		atomic.OrUint32(flags, shmFlagReqRun)
	}
	if atomic.AndUint32(turn, ^uint32(turnRun))&turnSleep != 0 {
		futex(turn, futexWake, 1, 0)
	}
	for {
		v := atomic.LoadUint32(turn)
		if v&turnRun != 0 {
			break
		}
		futex(turn, futexWait, v, 0)
	}
	atomic.AndUint32(flags, ^uint32(shmFlagReqRun))
	return Time(atomic.LoadUint64(k.word64(shmOffTime)))
}

// TestTurnsAndBells has a guest ring a bell in its turn, and be rung for later,
// when it has no wish to run by itself.
func TestTurnsAndBells(t *testing.T) {
	const out, in = 5, 67
	c := NewVirtual()
	d, err := c.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "time.sock")
	fd, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	var g *Guest
	var rungAt []Time
	d.Do(func() {
		if g, err = d.AddGuest(fd, 0); err != nil {
			return
		}
		g.Answer(out, func() {
			rungAt = append(rungAt, d.Now())
			After(d, 100*time.Microsecond, func() { g.Ring(in) })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		woken, heard Time
		bells        uint64
		err          error
	}
	results := make(chan result, 1)
	go func() {
		var k fakeKernel
		var r result
		defer func() { results <- r }()
		if r.err = k.connect(path); r.err != nil {
			return
		}
		r.woken = k.wait(Time(time.Millisecond))
		atomic.OrUint64(k.word64(clientAt(shmGuest)+clientOffKick+out/64*8), 1<<(out%64))
		r.heard = k.wait(Never)
		r.bells = atomic.SwapUint64(k.word64(clientAt(shmGuest)+clientOffCall+in/64*8), 0)
		unix.Close(k.conn) // its end
	}()
	if _, err := c.Advance(context.Background(), Time(10*time.Millisecond), nil); err != nil {
		t.Fatal(err)
	}
	r := <-results
	if r.err != nil {
		t.Fatal(r.err)
	}
	if len(rungAt) != 1 || rungAt[0] != r.woken || r.woken != Time(time.Millisecond) {
		t.Errorf("the guest woke at %s and rang, which was seen at %v; want both at 1 ms", r.woken, rungAt)
	}
	if want := Time(1100 * time.Microsecond); r.heard != want || r.bells != 1<<(in%64) {
		t.Errorf("the guest heard %#x at %s, want %#x at %s", r.bells, r.heard, uint64(1)<<(in%64), want)
	}
	c.Close()
}
