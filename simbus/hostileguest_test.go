package simbus

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// guestAlone is a domain with one guest that the test drives, turn by turn and
// without another goroutine: what a worker does, the test does.
type guestAlone struct {
	fakeKernel
	cal  *Calendar
	d    *Domain
	g    *Guest
	lost error
	gone bool
}

// listening is a socket that guests of a test connect to, one after another.
type listening struct {
	path string
	fd   int
}

func newListening(t testing.TB) *listening {
	t.Helper()
	l := &listening{path: filepath.Join(t.TempDir(), "time.sock")}
	var err error
	if l.fd, err = Listen(l.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(l.fd) })
	return l
}

func (l *listening) guest(t testing.TB) *guestAlone {
	t.Helper()
	a := &guestAlone{cal: NewVirtual()}
	a.cal.workers[0].cpu = -1
	var err error
	if a.d, err = a.cal.AddDomain("b"); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if a.g, err = a.d.AddGuest(fd, 0); err != nil {
		t.Fatal(err)
	}
	a.g.OnGone = func(err error) { a.lost, a.gone = err, true }
	a.shm = a.g.shm
	a.conn = l.dial(t)
	*a.word32(clientAt(shmGuest) + clientOffCapa) = shmCapTimeShare | shmCapTurn
	return a
}

func (l *listening) dial(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: l.path})
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// end ends all, and lets no connection wait for the next guest.
func (l *listening) end(a *guestAlone) {
	if !a.gone {
		a.g.lose(nil)
	}
	unix.Close(a.conn)
	a.cal.Close()
	for {
		fd, _, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.Close(fd)
	}
}

// turn begins the guest's next turn before limit, if it is to have one.
func (a *guestAlone) turn(t testing.TB, limit Time) (begun bool) {
	t.Helper()
	a.d.limit = limit
	begun, err := a.d.proceed()
	if err != nil {
		t.Fatal(err)
	}
	return begun
}

// heard hears what the guest has said and tells whether its turn is over.
func (a *guestAlone) heard(t testing.TB) (over bool) {
	t.Helper()
	if _, err := a.d.running.look(); err != nil {
		t.Fatal(err)
	}
	if err := a.d.drain(); err != nil {
		t.Fatal(err)
	}
	over, err := a.d.yielded()
	if err != nil {
		t.Fatal(err)
	}
	return over
}

func (a *guestAlone) say(op uint32, at uint64) {
	var b [ttMessageSize]byte
	binary.NativeEndian.PutUint32(b[0:], op)
	binary.NativeEndian.PutUint64(b[8:], at)
	_, _ = unix.Write(a.conn, b[:])
}

func (a *guestAlone) endTurn() {
	atomic.AndUint32(a.word32(clientAt(shmGuest)+clientOffTurn), ^uint32(turnRun))
}

func (a *guestAlone) request(at Time) {
	atomic.StoreUint64(a.word64(clientAt(shmGuest)+clientOffReqTime), uint64(at))
	atomic.StoreUint32(a.word32(clientAt(shmGuest)+clientOffFlags), shmFlagReqRun)
}

// TestPageKeepsItsSize: a guest that could cut the page that it shares with the
// calendar would take this program with it.
func TestPageKeepsItsSize(t *testing.T) {
	l := newListening(t)
	a := l.guest(t)
	defer l.end(a)
	a.turn(t, 1000)
	a.say(ttStart, 0)
	a.heard(t)
	oob := make([]byte, unix.CmsgSpace(2*4))
	var msg [ttMessageSize]byte
	_, n, _, _, err := unix.Recvmsg(a.conn, msg[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range rights(t, oob[:n]) {
		defer unix.Close(fd)
		for _, size := range []int64{0, shmHeader, shmLen * 2} {
			if err := unix.Ftruncate(fd, size); err != unix.EPERM {
				t.Errorf("to make it %d bytes long: %v, want EPERM", size, err)
			}
		}
	}
}

func rights(t testing.TB, oob []byte) (fds []int) {
	t.Helper()
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		t.Fatalf("%d messages, %v", len(msgs), err)
	}
	if fds, err = unix.ParseUnixRights(&msgs[0]); err != nil {
		t.Fatal(err)
	}
	return fds
}

// TestTimeBeyondTheTurn has a guest say that it is further than it may be: others
// count on it that it is not.
func TestTimeBeyondTheTurn(t *testing.T) {
	l := newListening(t)
	a := l.guest(t)
	defer l.end(a)
	for _, at := range []uint64{2000, 1 << 40, 1 << 63, ^uint64(0)} {
		limit := a.d.now + 1000
		if !a.turn(t, limit) {
			t.Fatal("no turn")
		}
		a.say(ttUpdate, at)
		a.heard(t)
		a.request(limit)
		a.endTurn()
		if a.heard(t); a.gone || a.d.Now() > limit {
			t.Fatalf("the guest says %d, and it is %s where it might run until %s (%v)", at, a.d.Now(), limit, a.lost)
		}
	}
}

// TestTurnsWithoutEnd has a guest take turns at one moment and pretend that time
// moves, by setting its own back.
func TestTurnsWithoutEnd(t *testing.T) {
	l := newListening(t)
	a := l.guest(t)
	defer l.end(a)
	a.d.now = 500
	for n := 0; !a.gone; n++ {
		if n > maxTurns+1 {
			t.Fatalf("after %d turns at one moment the guest has another", n)
		}
		if !a.turn(t, 1000) {
			t.Fatal("no turn")
		}
		if a.gone {
			break
		}
		a.d.stood = time.Time{}
		atomic.StoreUint64(a.word64(shmOffTime), 0)
		a.request(0)
		a.endTurn()
		// As heard, but nothing is on the sockets.
		if _, err := a.d.running.look(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.d.yielded(); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(a.lost.Error(), "turns at virtual time") {
		t.Errorf("it ends with %v", a.lost)
	}
}

// TestTurnInThePast has a guest ask for a turn at a time that is over, while it
// waits: the appliance's time does not go back.
func TestTurnInThePast(t *testing.T) {
	c := NewVirtual()
	path := filepath.Join(t.TempDir(), "time.sock")
	fd, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	var g *Guest
	d.Do(func() { g, err = d.AddGuest(fd, 0) })
	if err != nil {
		t.Fatal(err)
	}
	const second = Time(time.Second)
	over := make(chan error, 1)
	go func() {
		var k fakeKernel
		if err := k.connect(path); err != nil {
			over <- err
			return
		}
		k.wait(Never)
		over <- unix.Close(k.conn)
	}()
	if _, err := c.Advance(context.Background(), second, nil); err != nil {
		t.Fatal(err)
	}
	// It has waited for a second without a wish, and now has one.
	atomic.StoreUint64(g.word64(clientAt(shmGuest)+clientOffReqTime), 5)
	atomic.OrUint32(g.word32(clientAt(shmGuest)+clientOffFlags), shmFlagReqRun)
	var times []Time
	c.Subscribe(func(e *Event) { times = append(times, e.Time, c.Now()) })
	g.OnGone = func(error) { d.Emit(Event{Kind: "gone"}) }
	if _, err := c.Advance(context.Background(), second+10, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	if len(times) == 0 {
		t.Fatal("no event")
	}
	for _, at := range times {
		if at < second {
			t.Errorf("after a second it is %s", at)
		}
	}
	c.Close()
}

// TestMemoryGoneInDo has what a caller from outside brings about touch guest
// memory that the guest has cut.
func TestMemoryGoneInDo(t *testing.T) {
	for _, c := range []*Calendar{NewVirtual(), NewReal()} {
		d, err := c.AddDomain("b")
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED) // nothing is behind it
		if err != nil {
			t.Fatal(err)
		}
		faults := 0
		d.OnFault = func(uintptr, error) { faults++ }
		d.Do(func() { b[0] = 1 })
		d.Do(func() {})
		c.Close()
		if faults != 1 {
			t.Errorf("virtual %t: %d faults, want 1", c.Virtual(), faults)
		}
		_ = unix.Munmap(b)
		unix.Close(fd)
	}
}

// acts is what a guest does to its clock, from bytes.
type acts struct{ data []byte }

func (p *acts) more() bool { return len(p.data) > 0 }

func (p *acts) byte() (b byte) {
	if len(p.data) > 0 {
		b, p.data = p.data[0], p.data[1:]
	}
	return b
}

// number has the sizes and limits that matter near at hand.
func (p *acts) number(base uint64) uint64 {
	switch b := p.byte(); b & 7 {
	case 0:
		return uint64(b >> 3)
	case 1:
		return base + uint64(b>>3)
	case 2:
		return base - uint64(b>>3)
	case 3:
		return ^uint64(0) - uint64(b>>3)
	case 4:
		return uint64(Never) + uint64(b>>3) - 16
	case 5:
		return 1 << (b >> 3)
	case 6:
		return base + uint64(b>>3)*1000
	}
	return uint64(p.byte())<<8 | uint64(p.byte())
}

// words are the places of the page that the calendar looks at.
var words = [...]int{0, shmOffFreeUntil, shmOffTime, shmOffRunning, shmHeader, clientAt(shmGuest), clientAt(shmGuest) + clientOffFlags,
	clientAt(shmGuest) + clientOffReqTime, clientAt(shmGuest) + clientOffTurn, clientAt(shmGuest) + clientOffKick, clientAt(shmGuest) + clientOffCall,
	clientAt(shmGuest) + clientOffTaskPID, clientAt(shmGuest) + clientOffTaskName, clientAt(shmGuest) + clientOffTaskUser, clientAt(shmGuest) + clientOffTaskTime}

func (p *acts) act(t testing.TB, l *listening, a *guestAlone) {
	switch op := p.byte(); op & 15 {
	case 0, 1:
		*a.word32(words[int(op>>4)%len(words)]) = uint32(p.number(uint64(a.d.now)))
	case 2, 3:
		*a.word64(words[int(op>>4)%len(words)] &^ 7) = p.number(uint64(a.d.now))
	case 4:
		a.say(uint32(op>>4), p.number(uint64(a.d.limit)))
	case 5: // part of a message, or more than one
		_, _ = unix.Write(a.conn, make([]byte, int(op>>4)*3))
	case 6:
		*a.word64(clientAt(shmGuest) + clientOffKick + int(op>>4)%4*8) |= p.number(1)
	case 7, 8:
		a.endTurn()
	case 9:
		atomic.OrUint32(a.word32(clientAt(shmGuest)+clientOffTurn), turnMessage)
	case 10:
		*a.word32(clientAt(shmGuest) + clientOffCapa) ^= shmCapTurn
	case 11:
		var buf [256]byte
		_, _, _, _, _ = unix.Recvmsg(a.conn, buf[:], nil, unix.MSG_CMSG_CLOEXEC)
	case 12:
		a.request(Time(p.number(uint64(a.d.limit))))
	case 13: // what others do meanwhile
		a.g.Present()
		a.g.Ring(int(p.byte()))
	case 14:
		After(a.d, time.Duration(p.byte())*10, func() { a.g.Ring(int(op >> 4)) })
	case 15:
		if op>>4 == 0 {
			unix.Close(a.conn)
			a.conn = l.dial(t)
		} else {
			a.g.Task()
			_ = a.g.busy()
		}
	}
}

// FuzzGuest lets a guest do to its clock whatever it likes: messages, whole ones
// and parts, the shared page, bells, turns that end or do not.
func FuzzGuest(f *testing.F) {
	f.Add([]byte("\x0a\x04\x00\xac\x01\x07\x0c\x09\x07"))
	f.Add([]byte("\x14\x00\x0b\x0a\x0c\x0e\x07\x06\x05\x09\x0d\x43\x07\x54\x0c\x1f\x07"))
	f.Add([]byte("\x34\x0b\x74\x03\x15\x0f\x8a\x82\x04\x92\x03\x07"))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		b := make([]byte, 60)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	l := newListening(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a := l.guest(t)
		defer l.end(a)
		for bell := range Bells - 8 { // the last ones there are not
			a.g.Answer(bell, func() { After(a.d, time.Duration(bell), func() { a.g.Ring(bell) }) })
		}
		p := &acts{data}
		for limit, rounds := Time(1000), 0; p.more() && !a.gone && rounds < 200; rounds++ {
			before := a.d.now
			if !a.turn(t, limit) {
				a.cal.now.Store(int64(limit))
				a.d.now = max(a.d.now, limit)
				limit += 1000
				continue
			}
			for over := false; !over; {
				if p.act(t, l, a); !p.more() {
					a.endTurn()
				}
				for !p.more() && a.d.running.state == guestRunning && !a.d.running.byTurn() {
					*a.word32(clientAt(shmGuest) + clientOffCapa) |= shmCapTurn
				}
				over = a.heard(t)
			}
			if now := a.d.Now(); now > limit || now < before {
				t.Fatalf("from %s the guest has come to %s, where it might run until %s", before, now, limit)
			}
		}
	})
}

// FuzzGuestAtOnce lets a guest write the page at any moment, while the calendar is
// at work on it.
func FuzzGuestAtOnce(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		c := NewVirtual()
		c.StallLimit, c.HaltLimit = 20*time.Millisecond, 20*time.Millisecond
		d, err := c.AddDomain("b")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "time.sock") // which is closed with the guest, even if nobody has seen that it connects
		fd, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		var g *Guest
		d.Do(func() { g, err = d.AddGuest(fd, 0) })
		if err != nil {
			t.Fatal(err)
		}
		for bell := range Bells - 8 {
			g.Answer(bell, func() { After(d, time.Duration(bell), func() { g.Ring(bell) }) })
		}
		gone := make(chan struct{})
		g.OnGone = func(error) { close(gone) }
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			var k fakeKernel
			if k.connect(path) != nil {
				return
			}
			defer func() { _ = unix.Munmap(k.shm); unix.Close(k.conn) }()
			rng := rand.New(rand.NewPCG(seed, 0))
			for {
				select {
				case <-gone:
					return
				default:
				}
				switch rng.IntN(4) {
				case 0:
					atomic.StoreUint64(k.word64(words[rng.IntN(len(words))]&^7), rng.Uint64()>>rng.IntN(64))
				case 1:
					atomic.StoreUint32(k.word32(words[rng.IntN(len(words))]), rng.Uint32()>>rng.IntN(32))
				case 2:
					turn := k.word32(clientAt(shmGuest) + clientOffTurn)
					atomic.StoreUint32(turn, rng.Uint32N(8))
					futex(turn, futexWake, 1, 0)
				case 3:
					var msg [ttMessageSize]byte
					binary.NativeEndian.PutUint32(msg[0:], []uint32{ttWait, ttGet, ttUpdate, ttGetTOD, ttBroadcast}[rng.IntN(5)])
					binary.NativeEndian.PutUint64(msg[8:], rng.Uint64()>>rng.IntN(64))
					_, _ = unix.SendmsgN(k.conn, msg[:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
				}
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		last := Time(0)
		for until := Time(time.Millisecond); ctx.Err() == nil && until < Time(20*time.Millisecond); until += Time(time.Millisecond) {
			if _, err := c.Advance(ctx, until, nil); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			if now := c.Now(); now < last {
				t.Errorf("the time went from %s back to %s", last, now)
			} else {
				last = now
			}
		}
		d.Do(func() { g.Exited() })
		<-ended
		c.Close()
	})
}
