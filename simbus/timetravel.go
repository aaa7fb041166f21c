package simbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of the time-travel protocol (enum um_timetravel_ops in
// include/uapi/linux/um_timetravel.h).
const (
	ttAck       = 0
	ttStart     = 1
	ttRequest   = 2
	ttWait      = 3
	ttGet       = 4
	ttUpdate    = 5
	ttRun       = 6
	ttFreeUntil = 7
	ttGetTOD    = 8
	ttBroadcast = 9
)

// The shared page (struct um_timetravel_schedshm). Each guest has one of its
// own, so that each may be given its own time to run until; in it, client 0 is
// the calendar and client 1 the guest.
const (
	shmVersion       = 2
	shmHeader        = 4096
	shmClientSize    = 128
	shmLen           = 2 * shmHeader
	shmCalendar      = 0
	shmGuest         = 1
	shmCapTimeShare  = 1 // UM_TIMETRAVEL_SCHEDSHM_CAP_TIME_SHARE
	shmCapTurn       = 2 // UM_TIMETRAVEL_SCHEDSHM_CAP_TURN, of firmware/kernel/patches
	shmFlagReqRun    = 1 // UM_TIMETRAVEL_SCHEDSHM_FLAGS_REQ_RUN
	ttMessageSize    = 16
	shmOffFreeUntil  = 8
	shmOffTime       = 16
	shmOffRunning    = 24
	shmOffMaxClients = 26
	clientOffCapa    = 0
	clientOffFlags   = 4
	clientOffReqTime = 8
	clientOffTurn    = 24
	clientOffKick    = 32
	clientOffCall    = 64
)

type guestState uint8

const (
	guestStarting guestState = iota // its first turn is due: boot
	guestRunning                    // its turn; it computes, or waits for an answer of ours
	guestWaiting                    // for its request
	guestGone
)

// Guest is a kernel that takes its time from the calendar: the controller's end
// of one time-travel connection.
type Guest struct {
	// OnGone, if set, is called on the domain's goroutine when the guest has
	// ended or was given up. err is nil when it only hung up, as it does when
	// it ends by itself.
	OnGone func(err error)
	// Peer, if set, tells whether a connection's peer is the guest.
	Peer func(fd int) bool
	// Halted, if set, is asked why a guest shows no sign of life: it says that
	// somebody has stopped its processes, or nothing.
	Halted func() string

	d      *Domain
	state  guestState
	base   Time // the domain's time at the guest's time 0
	until  Time // how far its present or last turn goes
	most   Time // how far that went at most, before it was made shorter
	turns  int  // since time last moved
	turnAt Time // when the last of them began
	doomed atomic.Bool
	epoch  int64
	listen int
	conn   int
	memfd  int
	shm    []byte
	turn   *uint32 // the futex by which turns are passed

	bells  [Bells]func() // what is to be done when the guest has rung
	rung   bool          // a bell that the guest has not heard
	rungAt Time
}

// AddGuest prepares for a guest that is being started now, at the domain's
// present time: its kernel is to connect to the listening Unix stream socket,
// which becomes the Guest's to close. epoch is the wall-clock time at the
// calendar's time 0, in nanoseconds since 1970 UTC. Call it through Do.
func (d *Domain) AddGuest(listen int, epoch int64) (*Guest, error) {
	now := d.Now()
	g := &Guest{d: d, base: now, until: now, epoch: epoch, listen: listen, conn: -1, memfd: -1}
	fail := func(what string, err error) (*Guest, error) {
		g.release()
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var err error
	if g.memfd, err = unix.MemfdCreate("backplane-time", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
		return fail("create the page shared with the guest", err)
	}
	if err = unix.Ftruncate(g.memfd, shmLen); err != nil {
		return fail("size the page shared with the guest", err)
	}
	// The guest gets the file as well: cut short, it would be a fault wherever we look.
	if _, err = unix.FcntlInt(uintptr(g.memfd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return fail("seal the page shared with the guest", err)
	}
	if g.shm, err = unix.Mmap(g.memfd, 0, shmLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fail("map the page shared with the guest", err)
	}
	*g.word32(0) = shmVersion
	*g.word32(4) = shmLen
	binary.NativeEndian.PutUint16(g.shm[shmOffMaxClients:], 2)
	*g.word32(clientAt(shmCalendar) + clientOffCapa) = shmCapTimeShare | shmCapTurn
	g.turn = g.word32(clientAt(shmGuest) + clientOffTurn)
	*g.turn = turnRun
	d.guests = append(d.guests, g)
	return g, nil
}

func clientAt(id int) int { return shmHeader + id*shmClientSize }

func (g *Guest) word32(off int) *uint32 { return (*uint32)(unsafe.Pointer(&g.shm[off])) }
func (g *Guest) word64(off int) *uint64 { return (*uint64)(unsafe.Pointer(&g.shm[off])) }

// next is when the guest wants to run next.
func (g *Guest) next() Time {
	switch g.state {
	case guestStarting:
		return g.base
	case guestWaiting:
		t := g.requested()
		if g.rung {
			t = min(t, g.rungAt)
		}
		return t
	default:
		return Never
	}
}

// requested is when a waiting guest wants to run by itself.
func (g *Guest) requested() Time {
	if atomic.LoadUint32(g.word32(clientAt(shmGuest)+clientOffFlags))&shmFlagReqRun == 0 {
		return Never
	}
	t := atomic.LoadUint64(g.word64(clientAt(shmGuest) + clientOffReqTime))
	if t >= uint64(Never-g.base) {
		return Never
	}
	return g.base + Time(t)
}

// localTime is how far the guest has told to have come, on the calendar's time
// line. It is not believed to have come further than it was allowed to.
func (g *Guest) localTime() Time {
	t := atomic.LoadUint64(g.word64(shmOffTime))
	if t > uint64(g.until-g.base) {
		return g.until
	}
	return g.base + Time(t)
}

// setTime tells the guest the time; its own never goes back.
func (g *Guest) setTime(t Time) {
	g.until = max(g.until, t)
	if t > g.localTime() {
		atomic.StoreUint64(g.word64(shmOffTime), uint64(t-g.base))
	}
}

// Present makes the domain's present time the guest's, before something reaches
// it while it waits. Another guest of the domain whose turn it is gets no
// further before this one has had its own.
func (g *Guest) Present() {
	if g.state == guestWaiting {
		if other := g.d.running; other != nil {
			other.stopBy(g.d.Now())
		}
		g.setTime(g.d.Now())
	}
}

// stopBy lets the running guest go no further than t without asking.
func (g *Guest) stopBy(t Time) {
	if t < g.until {
		g.until = max(t, g.localTime())
		atomic.StoreUint64(g.word64(shmOffFreeUntil), uint64(g.until-g.base))
	}
}

// maxTurns is how often a guest may wait without time moving. Real ones do so
// a few times for an interrupt; a broken one would hold the appliance forever.
const maxTurns = 1_000_000

// resume begins the guest's turn.
func (g *Guest) resume(until Time) {
	if g.d.now > g.turnAt { // not what the guest says: it can say that time moves, and is where it was
		g.turnAt, g.turns = g.d.now, 0
	} else if g.turns++; g.turns > maxTurns {
		g.lose(fmt.Errorf("%w: %d turns at virtual time %s%s", errProtocol, g.turns, g.d.now, g.lastTask()))
		return
	}
	first := g.state == guestStarting
	g.state, g.rung = guestRunning, false
	g.until = max(until, g.d.now)
	g.most = g.until
	g.setTime(g.d.now)
	atomic.StoreUint64(g.word64(shmOffFreeUntil), uint64(g.until-g.base))
	g.setRunning(shmGuest)
	if first {
		// It needs no word from us to boot. That it connects was of no interest
		// before: it boots in its own turn, not in that of a neighbour.
		if err := g.d.Watch(g.listen, g.accept); err != nil {
			g.lose(err)
		}
		return
	}
	if g.byTurn() {
		g.pass(g.d.worker.away.apart)
		return
	}
	if err := g.send(ttRun, 0, uint64(g.d.now-g.base), nil); errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		g.lose(nil) // it has ended while it waited
	} else if err != nil {
		g.lose(err)
	}
}

func (g *Guest) setRunning(id uint16) { binary.NativeEndian.PutUint16(g.shm[shmOffRunning:], id) }

func (g *Guest) accept() {
	fd, _, err := unix.Accept4(g.listen, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if Gone(err) {
		return
	}
	if err != nil {
		g.lose(fmt.Errorf("cannot accept its connection to the clock: %w", err))
		return
	}
	if g.Peer != nil && !g.Peer(fd) {
		unix.Close(fd)
		return
	}
	g.d.Unwatch(g.listen)
	unix.Close(g.listen)
	g.listen = -1
	g.conn = fd
	if err := g.d.Watch(fd, g.receive); err != nil {
		g.lose(err)
	}
}

var errProtocol = errors.New("guest broke the time-travel protocol")

func (g *Guest) receive() {
	var buf [ttMessageSize]byte
	n, err := unix.Read(g.conn, buf[:])
	switch {
	case err == unix.EINTR || err == unix.EAGAIN:
		return
	case err == unix.ECONNRESET || err == nil && n == 0:
		g.lose(nil)
		return
	case err != nil:
		g.lose(fmt.Errorf("read from the time socket: %w", err))
		return
	case n != len(buf):
		g.lose(fmt.Errorf("%w: a message of %d bytes", errProtocol, n))
		return
	}
	op := binary.NativeEndian.Uint32(buf[0:])
	seq := binary.NativeEndian.Uint32(buf[4:])
	t := binary.NativeEndian.Uint64(buf[8:])
	if err := g.handle(op, seq, t); err != nil {
		g.lose(err)
	}
}

func (g *Guest) handle(op, seq uint32, t uint64) error {
	if g.state != guestRunning {
		return fmt.Errorf("%w: operation %d out of turn", errProtocol, op)
	}
	switch op {
	case ttStart:
		// The log file that the protocol asks for is not used by the kernel yet
		// ("we don't use the logging for now"): the page stands in for it.
		return g.send(ttAck, seq, shmGuest, unix.UnixRights(g.memfd, g.memfd))
	case ttWait: // no answer with shared memory
		g.setRunning(shmCalendar)
		g.state = guestWaiting
		return nil
	case ttGet:
		return g.send(ttAck, seq, atomic.LoadUint64(g.word64(shmOffTime)), nil)
	case ttGetTOD:
		return g.send(ttAck, seq, uint64(g.epoch+int64(g.localTime())), nil)
	case ttUpdate:
		g.setTime(g.base + Time(min(t, uint64(g.until-g.base)))) // and no further than it may run
		return g.send(ttAck, seq, 0, nil)
	case ttRequest:
		// Only a guest that has not taken the shared page up asks this way.
		return fmt.Errorf("%w: it does not share memory; time travel needs a kernel with schedshm version %d", errProtocol, shmVersion)
	case ttBroadcast:
		return g.send(ttAck, seq, 0, nil)
	default:
		return fmt.Errorf("%w: unknown operation %d", errProtocol, op)
	}
}

func (g *Guest) send(op, seq uint32, t uint64, rights []byte) error {
	var buf [ttMessageSize]byte
	binary.NativeEndian.PutUint32(buf[0:], op)
	binary.NativeEndian.PutUint32(buf[4:], seq)
	binary.NativeEndian.PutUint64(buf[8:], t)
	var err error
	if rights == nil {
		_, err = unix.Write(g.conn, buf[:]) // the cheapest; Go has no SIGPIPE for sockets
	} else {
		err = sendRights(g.conn, buf[:], rights)
	}
	if err != nil {
		return fmt.Errorf("write to the time socket: %w", err)
	}
	return nil
}

// crowdLimit is how long a message waits until others have taken their descriptors, in host time.
const crowdLimit = time.Second

// sendRights sends descriptors. The host bounds those that all processes of a user
// have under way together (unix(7), ETOOMANYREFS): others' pass, or it is an error.
func sendRights(conn int, message, rights []byte) error {
	for end := time.Now().Add(crowdLimit); ; time.Sleep(time.Millisecond) {
		err := unix.Sendmsg(conn, message, rights, nil, unix.MSG_NOSIGNAL)
		if err != unix.ETOOMANYREFS {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("this user's processes have more file descriptors in unread messages than their limit of open files: %w", err)
		}
	}
}

// Exited tells that the guest's process has ended, for the one who waits for
// it. Call it on the domain's goroutine; later calls do nothing. In virtual time
// what hangs up with the guest has been heard of when it returns.
func (g *Guest) Exited() {
	g.lose(nil)
	if g.d.running == nil {
		_ = g.d.drain() // a poller that fails fails the next turn as well
	}
}

// doomedLimit is how long a doomed guest may say nothing, in host time.
const doomedLimit = time.Second

// Doom tells that the guest's kernel is about to end, as after a panic. Its
// last words are still heard; then it is given up, as if it had ended. Any
// goroutine may call it.
func (g *Guest) Doom() { g.doomed.Store(true) }

// lose takes the guest off the calendar.
func (g *Guest) lose(err error) {
	if g.state == guestGone {
		return
	}
	g.state = guestGone
	for i, other := range g.d.guests {
		if other == g {
			g.d.guests = append(g.d.guests[:i:i], g.d.guests[i+1:]...)
		}
	}
	g.release()
	if g.OnGone != nil {
		g.OnGone(err)
	}
}

func (g *Guest) release() {
	for _, fd := range [...]*int{&g.listen, &g.conn} {
		if *fd >= 0 {
			g.d.Unwatch(*fd)
			unix.Close(*fd)
			*fd = -1
		}
	}
	if g.memfd >= 0 {
		unix.Close(g.memfd)
		g.memfd = -1
	}
	if g.shm != nil {
		last := append([]byte(nil), g.shm...) // what it said last can still be asked for
		_ = unix.Munmap(g.shm)
		g.shm = last
		g.turn = g.word32(clientAt(shmGuest) + clientOffTurn)
	}
}
