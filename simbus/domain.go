package simbus

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Domain is what shares one time line and one goroutine: usually one board. It
// is a [Clock] for the models on it.
type Domain struct {
	cal   *Calendar
	name  string
	index int

	// OnFault, if set, is called when a model of the domain has touched guest
	// memory at addr that is not there any more, which a guest's kernel can
	// bring about. With several guests addr tells which.
	OnFault func(addr uintptr, err error)

	timers timers
	poll   *poller

	// Virtual time.
	worker  *worker
	turns   uint64
	now     Time      // the latest time at which something happened here
	limit   Time      // how far it may run in this window
	guests  []*Guest  // in the order of power-on
	running *Guest    // the one whose turn it is
	events  []Event   // emitted, not yet merged into the stream
	said    int       // the bytes of text in them
	moment  int       // how much has happened since time last moved
	stood   time.Time // awake: since when the running guest has been at the time stoodAt
	stoodAt Time
	sent    []crossing // to other domains, not yet delivered
	changed []*way     // from here, not yet reckoned with

	// Real time.
	mu     sync.Mutex
	inbox  []posted
	wakeup int // eventfd
	done   chan struct{}
	thread int // that serve keeps
}

// posted is what another goroutine has left for a domain in real time.
type posted struct {
	at   Time
	what call
}

// crossing is what one domain has sent to another in virtual time.
type crossing struct {
	from int
	to   *Domain
	at   Time
	what call
}

// Name is the domain's name: its board's.
func (d *Domain) Name() string { return d.name }

// CPU is where the processes of the domain's guests belong: in virtual time that
// of the worker that drives them, since a switch between two CPUs costs several
// times one on the same. -1 stands for anywhere.
func (d *Domain) CPU() int {
	if d.worker == nil {
		return -1
	}
	return d.worker.cpu
}

// Thread is the thread that drives the domain, and nothing else, in real time. Call
// it there.
func (d *Domain) Thread() int { return d.thread }

// Now is the domain's present time. While a guest runs it is the time that the
// guest has told of last, which it does before each notification.
func (d *Domain) Now() Time {
	if !d.cal.virtual {
		return d.cal.hostTime()
	}
	if d.running != nil {
		return max(d.now, d.running.localTime())
	}
	return d.now
}

// At calls f on the domain's goroutine at time t.
func (d *Domain) At(t Time, f func()) *Timer { return d.at(t, callFunc(f)) }

func (d *Domain) at(t Time, what call) *Timer {
	timer := d.timers.add(max(t, d.Now()), own, what)
	if d.running != nil {
		d.running.stopBy(timer.t)
	}
	return timer
}

// Emit puts an event into the stream. In virtual time it has the domain's present time
// where it has none; in real time it has that at which it reaches the stream.
func (d *Domain) Emit(e Event) {
	if !d.cal.virtual {
		d.cal.publish(&e)
		return
	}
	if e.Time == 0 {
		e.Time = d.Now()
	}
	d.events = append(d.events, e)
	d.said += e.size()
	if len(d.events) >= handOn && d.events[0].Time < e.Time { // the window ends here, for them to be
		d.limit = min(d.limit, e.Time)
		if d.running != nil {
			d.running.stopBy(e.Time)
		}
	}
}

// handOn is how many events a domain keeps before they are handed on, which is between
// windows: a window of a guest that does something every nanosecond takes hours.
const handOn = 1 << 14

// Observed tells whether anybody listens to the stream, for models that can
// save themselves the work of describing what happens.
func (d *Domain) Observed() bool { return d.cal.observed() }

// Watch calls ready on the domain's goroutine whenever the file descriptor can
// be read or its peer has hung up. In virtual time that is only while a guest
// of the domain runs; what listens is looked at between turns as well.
func (d *Domain) Watch(fd int, ready func()) error { return d.poll.watch(fd, ready) }

// Unwatch ends a Watch.
func (d *Domain) Unwatch(fd int) { d.poll.unwatch(fd) }

// Do runs f on the domain's goroutine, at its present time, and returns when it
// is done. It is for callers from outside: a model, a subscriber and a stop
// function of Advance must not call it.
func (d *Domain) Do(f func()) {
	if d.cal.virtual {
		d.cal.mu.Lock()
		defer d.cal.mu.Unlock()
		d.now = max(d.now, d.cal.present())
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		d.guard(callFunc(f))
		d.cal.flush(d.cal.present() + 1)
		return
	}
	finished := make(chan struct{})
	d.post(0, callFunc(func() { defer close(finished); f() }))
	select {
	case <-finished:
	case <-d.done:
	}
}

// next is when something happens here next.
func (d *Domain) next() Time {
	t := d.timers.next()
	for _, g := range d.guests {
		t = min(t, g.next())
	}
	return t
}

// proceed lets everything happen that is due before d.limit, which a crossing may
// lower meanwhile. It returns true when it has given a guest the time: then
// yielded is to be called once the guest waits. It fails if so much happens at
// one moment that the next would never come.
func (d *Domain) proceed() (begun bool, err error) {
	for {
		t := d.timers.next()
		var guest *Guest
		for _, g := range d.guests {
			if n := g.next(); n < t {
				t, guest = n, g
			}
		}
		if t >= d.limit {
			return false, nil
		}
		if t > d.now {
			d.now, d.moment = t, 0
		}
		if guest == nil {
			if d.moment++; d.moment > maxMoment {
				return false, fmt.Errorf("%s: %d changes at virtual time %s, without an end: parts that keep changing each other need a wire with a delay", d.name, maxMoment, d.now)
			}
			d.guard(d.timers.pop().what)
			continue
		}
		until := min(d.limit, d.timers.next())
		for _, other := range d.guests {
			if other != guest {
				until = min(until, other.next())
			}
		}
		d.running = guest
		d.turns++
		d.stood = time.Time{}
		guest.resume(until)
		return true, nil
	}
}

// maxMoment bounds how much happens in a domain at one moment. Real parts take
// some time to change, so that a ring of them oscillates at a frequency; these
// would do it without end.
const maxMoment = 1_000_000

// maxEvents bounds how many events a domain has at one moment, in which they
// cannot be handed on yet: what a guest says without time going on takes memory.
// maxSaid bounds their texts, in bytes.
const (
	maxEvents = 1 << 18
	maxSaid   = 64 << 20
)

// yielded ends the turn of the running guest, if it waits or has gone.
func (d *Domain) yielded() (bool, error) {
	g := d.running
	if g.state == guestRunning {
		return false, nil
	}
	d.now = max(d.now, g.localTime())
	d.running = nil
	if g.state == guestGone {
		return true, d.drain()
	}
	g.answer()
	return true, nil
}

// catchUp makes the present time one that no guest has passed, when a window was
// broken off: a guest does not tell how far it has come as long as it need not, and
// nothing must reach it before that.
func (d *Domain) catchUp() {
	for _, g := range d.guests {
		d.now = max(d.now, min(g.most, g.requested()))
	}
}

// holds gives the running guest up if it has held time still for too long. It is
// asked now and then, with the host's time: not talking is no worse than talking.
func (d *Domain) holds(now time.Time) {
	g := d.running
	if at := max(d.Now(), g.seenTime()); d.stood.IsZero() || at > d.stoodAt {
		d.stood, d.stoodAt = now, at
	}
	switch stuck := now.Sub(d.stood); {
	case g.doomed.Load() && stuck > doomedLimit:
		g.lose(nil)
	case stuck > d.cal.StallLimit:
		why := g.busy()
		if g.Halted != nil {
			if text := g.Halted(); text != "" {
				why = text
			}
		}
		g.lose(fmt.Errorf("virtual time has stood at %s for %s of host time: %s", d.stoodAt, stuck.Round(time.Second), why))
	case d.said > maxSaid && d.events[0].Time == d.Now():
		g.lose(fmt.Errorf("more than %d MiB of events at virtual time %s: the board goes on for ever without taking time%s", maxSaid>>20, d.Now(), g.lastTask()))
	case len(d.events) > maxEvents && d.events[len(d.events)-maxEvents].Time == d.Now():
		g.lose(fmt.Errorf("more than %d events at virtual time %s: the board goes on for ever without taking time%s", maxEvents, d.Now(), g.lastTask()))
	}
}

// halt lets the running guest have no more time than it has used, so that its
// turn ends soon; one that goes on for long all the same is given up.
func (d *Domain) halt(since time.Duration) {
	d.limit = min(d.limit, d.Now())
	if since < d.cal.HaltLimit {
		d.running.stopBy(d.Now())
		return
	}
	d.running.lose(fmt.Errorf("it was still computing when the appliance ended, at virtual time %s, and did not stop within %s", d.Now(), d.cal.HaltLimit))
}

// drain handles what a guest has left on its sockets, a dead one's hang-ups among it.
func (d *Domain) drain() error {
	for range maxDrain {
		n, err := d.poll.wait(0)
		if n == 0 || err != nil {
			return err
		}
	}
	return nil
}

// maxDrain bounds how often drain looks, so that a guest that writes as fast as it
// is read does not keep its worker from all else. What is left is heard at the next glance.
const maxDrain = 4096

// Post runs f on the domain's goroutine soon, for callers on another one in real
// time. In virtual time the caller is on it, and f runs at once.
func (d *Domain) Post(f func()) {
	if d.cal.virtual {
		f()
		return
	}
	d.post(0, callFunc(f))
}

// guard does what may touch guest memory that is gone: a guest can cut its
// memory file short. The goroutine must have called [debug.SetPanicOnFault].
func (d *Domain) guard(what call) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // a fault
			if d.OnFault == nil {
				panic(r)
			}
			d.OnFault(r.Addr(), fmt.Errorf("guest memory at %#x has gone", r.Addr()))
		default:
			panic(r)
		}
	}()
	what.call()
}

// post leaves a call for the domain's goroutine in real time.
func (d *Domain) post(at Time, what call) {
	d.mu.Lock()
	d.inbox = append(d.inbox, posted{at, what})
	first := len(d.inbox) == 1
	d.mu.Unlock()
	if first {
		d.wake()
	}
}

func (d *Domain) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(d.wakeup, one[:]) // full means that it is awake already
}

// serve is the domain's goroutine in real time: it ends with the calendar.
func (d *Domain) serve() {
	defer close(d.done)
	runtime.LockOSThread() // and end with it: it may have been kept on some CPU
	d.thread = unix.Gettid()
	debug.SetPanicOnFault(true)
	for !d.cal.closed.Load() {
		wait := time.Duration(-1)
		if t := d.timers.next(); t != Never {
			wait = max(0, t.Sub(d.Now()))
		}
		if _, err := d.poll.wait(wait); err != nil {
			d.cal.fail(err)
			return
		}
		d.takeInbox()
		for d.timers.next() <= d.Now() {
			d.guard(d.timers.pop().what)
		}
	}
}

func (d *Domain) takeInbox() {
	d.mu.Lock()
	calls := d.inbox
	d.inbox = nil
	d.mu.Unlock()
	for _, c := range calls {
		d.timers.add(c.at, own, c.what) // due ones too: another may be due before
	}
}
