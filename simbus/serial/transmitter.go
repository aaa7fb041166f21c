package serial

import (
	"time"

	"backplane/simbus"
)

// A run is at most what a 16550's FIFO holds, or on a fast line what goes over in runTime.
const (
	runChars = 16
	runTime  = time.Millisecond
)

// transmitter sends what it is given in runs.
type transmitter struct {
	p      *Port
	queue  queue
	urgent []byte // goes before the queue
	format Format
	limit  int // characters of a run
	run    *run
	given  []byte // what it was made of
	goes   int    // how many characters of it go over
	ahead  bool   // it is an urgent one
	held   bool   // nothing more is to begin
	low    bool   // the line is to be low
	off    bool   // the driver is disabled
	idle   *run   // what an enabled driver does meanwhile
	breaks *run   // the break under way
	free   moment // when the line became free, or will
	timer  *simbus.Timer
	expire func() // what timer calls: made once
	inEnd  bool   // expire is at work: what begins now follows without a gap
}

func (t *transmitter) init(p *Port) {
	t.p = p
	t.expire = func() {
		r, n, ahead := t.run, t.goes, t.ahead
		t.run = nil
		t.inEnd = true
		t.next() // first, so that what OnSent puts in follows without a gap
		switch {
		case r == nil || n == 0:
		case ahead && p.OnSentNext != nil:
			p.OnSentNext(r.data[0])
		case !ahead && p.OnSent != nil:
			p.OnSent(r.data[:n])
		}
		t.inEnd = false
	}
}

func (t *transmitter) setFormat(f Format) {
	t.format = f
	t.limit = max(runChars, int(int64(runTime)/max(1, int64(f.Duration(1)))))
	t.cut()
}

func (t *transmitter) transmit(data []byte) {
	if t.p.off || len(data) == 0 {
		return
	}
	t.queue.put(data)
	t.next()
}

// unsent is how many characters have not begun.
func (t *transmitter) unsent() int {
	n := t.queue.len
	if t.run != nil {
		n += t.goes - t.run.begun(t.p.clock.Now())
	}
	return max(0, n)
}

func (t *transmitter) busy() bool {
	return t.run != nil || t.breaks != nil || t.ready()
}

// ready tells whether there is something to send that may be.
func (t *transmitter) ready() bool { return len(t.urgent) > 0 || t.queue.len > 0 && !t.held }

func (t *transmitter) transmitNext(char byte) {
	if t.p.off {
		return
	}
	t.urgent = []byte{char} // one that waits is out of date
	t.cut()
	t.next()
}

func (t *transmitter) flush() (dropped int) {
	t.cut()
	dropped = t.queue.len
	t.queue = queue{}
	return dropped
}

func (t *transmitter) hold(on bool) {
	t.held = on
	if on {
		t.cut()
	}
	t.next()
}

// cut lets the run under way end after the character that is. The others are put back.
// An urgent character goes over in any case.
func (t *transmitter) cut() {
	if t.run == nil || t.ahead {
		return
	}
	n := t.run.fate.cut(t.run.begun(t.p.clock.Now()))
	if n >= t.goes {
		return
	}
	t.queue.putBack(t.given[n:t.goes])
	t.goes = n
	t.free = t.run.edge(n, 0)
	t.timer.Stop()
	t.timer = t.p.clock.At(t.free.time(), t.expire)
	if t.driving() {
		t.p.line.end(t.p, t.run, t.free.time())
	}
}

// driving tells whether what is sent gets to others.
func (t *transmitter) driving() bool { return t.p.line != nil && !t.off }

// next begins what comes next, if the line is free.
func (t *transmitter) next() {
	switch {
	case t.p.off || t.run != nil || t.breaks != nil:
	case t.low:
		t.beginBreak()
	case !t.ready():
		t.rest()
	case t.free.time() > t.p.clock.Now(): // the line has to rest after a break
		t.timer.Stop()
		t.timer = t.p.clock.At(t.free.time(), t.expire)
	default:
		t.begin()
	}
}

// begin begins a run.
func (t *transmitter) begin() {
	now := t.p.clock.Now()
	at := t.free
	if !t.inEnd && at.time() != now {
		at = moment{now, 0, t.format.Rate}
	}
	if at.rate != t.format.Rate {
		at = moment{at.time(), 0, t.format.Rate}
	}
	t.given = t.take()
	data := t.format.mask(t.given)
	r := &run{begin: at, format: t.format, char: t.format.HalfBits(), data: data, fate: newFate(len(data))}
	t.run, t.goes = r, len(data)
	t.free = r.edge(len(data), 0)
	t.timer = t.p.clock.At(t.free.time(), t.expire)
	t.stir(at.time())
	if t.driving() {
		t.p.line.begin(t.p, r, at.time())
	}
}

// mask leaves out bits that the format has no place for.
func (f Format) mask(data []byte) []byte {
	if f.Data == 8 {
		return data
	}
	masked := make([]byte, len(data))
	for i, v := range data {
		masked[i] = v & (1<<f.Data - 1)
	}
	return masked
}

// take takes what a run sends.
func (t *transmitter) take() []byte {
	if t.ahead = len(t.urgent) > 0; !t.ahead {
		return t.queue.take(t.limit)
	}
	char := t.urgent[:1:1]
	t.urgent = t.urgent[1:]
	return char
}

// rest says that the line is driven high, where that matters.
func (t *transmitter) rest() {
	if t.idle != nil || !t.driving() {
		return
	}
	if b, ok := t.p.line.(*Bus); ok {
		now := t.p.clock.Now()
		t.idle = &run{kind: rest, begin: moment{origin: now, rate: t.format.Rate}}
		b.begin(t.p, t.idle, now)
	}
}

// stir ends a rest.
func (t *transmitter) stir(at simbus.Time) {
	if t.idle != nil {
		t.p.line.end(t.p, t.idle, at)
		t.idle = nil
	}
}

func (t *transmitter) setBreak(on bool) {
	if t.low == on {
		return
	}
	t.low = on
	if on {
		t.cut()
	} else if t.breaks != nil {
		t.endBreak()
	}
	t.next()
}

// lead is how much later the other end has a break.
func (t *transmitter) lead() time.Duration {
	if t.p.line == nil {
		return 0
	}
	return t.p.line.lead(t.p)
}

// beginBreak begins a break, a bit after the one before at the earliest.
func (t *transmitter) beginBreak() {
	now := t.p.clock.Now()
	if free := t.free.time(); free > now {
		t.timer.Stop()
		t.timer = t.p.clock.At(free, t.expire)
		return
	}
	at := now.Add(t.lead())
	t.breaks = &run{kind: space, begin: moment{at, 0, t.format.Rate}}
	t.stir(at)
	if t.driving() {
		t.p.line.begin(t.p, t.breaks, at)
	}
}

// endBreak ends it, after a bit at the earliest, and lets the line rest for another one. So a
// guest cannot fill a line with more breaks than have their place there.
func (t *transmitter) endBreak() {
	end := t.breaks.begin.after(2)
	if at := t.p.clock.Now().Add(t.lead()); at > end.time() {
		end = moment{at, 0, t.format.Rate}
	}
	if t.driving() {
		t.p.line.end(t.p, t.breaks, end.time())
	}
	t.breaks = nil
	t.free = end.after(2)
}

func (t *transmitter) setDriver(on bool) {
	if t.off == !on {
		return
	}
	now := t.p.clock.Now()
	if !on {
		t.silence(now)
		t.off = true
		return
	}
	t.off = false
	t.joined()
}

// joined drives the line as it is to be, after it floated.
func (t *transmitter) joined() {
	now := t.p.clock.Now()
	switch r := t.now(); {
	case !t.driving() || t.p.off:
	case r == nil:
		t.rest()
	default:
		t.p.line.begin(t.p, r, now)
		t.p.line.end(t.p, r, t.until(r))
	}
}

// now is what the transmitter does to its line, if it is enabled; nil: it rests.
func (t *transmitter) now() *run {
	switch {
	case t.breaks != nil:
		return t.breaks
	case t.run != nil:
		return t.run
	}
	return t.idle
}

// until is how long that goes on.
func (t *transmitter) until(r *run) simbus.Time {
	if r == t.run {
		return t.free.time()
	}
	return simbus.Never
}

// silence lets the line float from now on.
func (t *transmitter) silence(now simbus.Time) {
	if !t.driving() {
		return
	}
	t.stir(now)
	if t.run != nil {
		t.p.line.end(t.p, t.run, now)
	}
	if t.breaks != nil {
		t.p.line.end(t.p, t.breaks, now)
	}
}

func (t *transmitter) power(on bool) {
	if on {
		t.next()
		return
	}
	t.silence(t.p.clock.Now())
	t.timer.Stop()
	t.queue, t.urgent, t.run, t.breaks, t.low, t.held, t.idle = queue{}, nil, nil, nil, false, false, nil
	t.free = moment{}
}
