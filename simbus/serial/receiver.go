package serial

import "backplane/simbus"

// gates are reasons for which a receiver does not see its line.
type gates uint8

const (
	gateTransceiver gates = 1 << iota
	gateCut
	gateStuck // it sees it low
)

// piece is a part of a run that a receiver sees, until the run is over at the latest.
type piece struct {
	*run
	from, until simbus.Time
}

// receiver takes characters from its line.
type receiver struct {
	p       *Port
	format  Format
	batch   int
	listens bool
	closed  gates
	live    []piece // what is on the line, or will be
	noise   *noise

	// A run that has the receiver's format, alone on the line.
	run   *run
	taken int // characters of it
	goes  int // how many it has

	seen   []piece // else: what the receiver sees of the line
	sample sampler
	timer  *simbus.Timer
	expire func() // made once
}

func (r *receiver) init(p *Port) {
	r.p = p
	r.listens = true
	r.expire = r.due
}

func (r *receiver) setFormat(f Format) {
	now := r.p.clock.Now()
	r.sampled(now)
	r.format = f
	r.sample.hunt(now)
	r.plan()
}

func (r *receiver) setBatch(n int) {
	r.batch = n
	if r.run != nil {
		r.planRun()
	}
}

func (r *receiver) hears() bool { return r.listens && !r.p.off }

func (r *receiver) listen(on bool) {
	now := r.p.clock.Now()
	r.sampled(now)
	r.listens = on
	r.sample.hunt(now)
	r.plan()
}

// gate closes the receiver to its line, or opens it.
func (r *receiver) gate(why gates, closed bool) {
	before := r.closed
	if r.closed &^= why; closed {
		r.closed |= why
	}
	if before == r.closed {
		return
	}
	now := r.p.clock.Now()
	r.rest(now)
	switch {
	case r.closed&gateStuck != 0:
		r.seen = append(r.seen, piece{&run{kind: space, begin: moment{now, 0, r.format.Rate}}, now, simbus.Never})
	case r.closed == 0:
		for _, l := range r.live {
			if l.until > now {
				r.seen = append(r.seen, piece{l.run, max(l.from, now), l.until})
			}
		}
	}
	r.plan()
}

// add says that a run is on the line from a time on.
func (r *receiver) add(n *run, from simbus.Time) {
	if r.noise != nil && n.kind == chars {
		n = r.noise.disturb(n)
	}
	p := piece{n, from, n.over()}
	r.live = append(prune(r.live, r.p.clock.Now()), p)
	if r.closed != 0 {
		return
	}
	if r.run != nil && r.run.end(r.goes) <= from { // it has ended at this very moment
		r.take(r.goes)
	}
	r.sampled(from)
	if r.fits(n) && from <= n.start() && r.quiet(from) {
		r.seen, r.run, r.taken, r.goes = r.seen[:0], n, 0, len(n.data)
		r.planRun()
		return
	}
	r.seen = append(r.seen, p)
	r.plan()
}

// end says that a run is on the line until a time.
func (r *receiver) end(n *run, until simbus.Time) {
	mine := false
	for i := range r.live {
		if r.live[i].run.same(n) {
			r.live[i].until, mine = min(r.live[i].until, until), true
		}
	}
	if !mine || r.closed != 0 {
		return
	}
	if r.run != nil && r.run.same(n) {
		if done := max(r.taken, r.run.done(until)); r.run.end(done) >= until {
			if r.goes = min(r.goes, done); r.goes == r.taken {
				r.take(r.goes)
			} else {
				r.planRun()
			}
			return
		}
	}
	r.sampled(until)
	for i := range r.seen {
		if r.seen[i].run.same(n) {
			r.seen[i].until = min(r.seen[i].until, until)
		}
	}
	r.plan()
}

// fits tells whether the characters of a run are what the receiver would sample.
func (r *receiver) fits(n *run) bool {
	f := n.format
	f.Rate = r.format.Rate
	return r.hears() && n.kind == chars && f == r.format && n.flips == nil && near(n.format.Rate, r.format.Rate)
}

// near tells whether two rates differ by less than 2 %: the last bit of any format is then
// sampled in its middle half.
func near(a, b Rate) bool {
	if a == b {
		return true
	}
	ratio := a.Float() / b.Float()
	return ratio > 0.98 && ratio < 1.02
}

// quiet tells whether the line rests before a time, and the receiver waits for a start bit.
func (r *receiver) quiet(at simbus.Time) bool {
	for i := range r.seen {
		if r.seen[i].until > at {
			return false
		}
	}
	return r.run == nil && !r.sample.framing && r.sample.at <= at
}

// planRun has the run's next characters taken when they have arrived.
func (r *receiver) planRun() {
	n := r.goes
	if r.batch > 0 {
		n = min(n, r.taken+r.batch)
	}
	r.timer.Stop()
	r.timer = r.p.clock.At(r.run.end(n), r.expire)
}

// take gives the port characters of the run, up to the n-th.
func (r *receiver) take(n int) {
	run, from := r.run, r.taken
	if m := run.fate.read(n); m < n { // a cut that the receiver is yet to hear of
		n, r.goes = m, m
	}
	r.taken = n
	if n == r.goes {
		r.timer.Stop()
		r.run = nil
		r.sample.hunt(run.end(n))
	}
	r.tellPart(run, from, n)
}

// tellPart gives the port characters of a run.
func (r *receiver) tellPart(run *run, from, n int) {
	if n > from && r.hears() {
		r.tell(Received{Data: run.data[from:n:n], End: run.end(n)})
	}
}

func (r *receiver) tell(x Received) {
	if r.p.OnReceive != nil {
		r.p.OnReceive(x)
	}
}

// due is called when something has arrived.
func (r *receiver) due() {
	if r.run == nil {
		r.plan()
		return
	}
	if n := min(r.run.done(r.p.clock.Now()), r.goes); n > r.taken {
		r.take(n)
	}
	if r.run != nil {
		r.planRun()
	}
}

// sampled has the receiver look at its line from now on, which is known for certain before a
// time. What has arrived until then the port gets.
func (r *receiver) sampled(at simbus.Time) {
	at = min(at, r.p.clock.Now())
	for {
		if r.run != nil {
			r.leaveRun(at)
			continue // OnReceive may have brought another one
		}
		if !r.hears() {
			r.sample.hunt(max(r.sample.at, at))
			return
		}
		before := r.sample
		x, ok := r.sample.read(r.format, r.seen, at)
		if !ok {
			return
		}
		if r.settle(x.end) {
			r.sample = before
			continue
		}
		r.tellCharacter(x)
	}
}

// leaveRun lets what is left of the run, after what has gone over at a time, be sampled.
func (r *receiver) leaveRun(at simbus.Time) {
	run, from, goes := r.run, r.taken, r.goes
	n := run.fate.read(max(from, min(goes, run.done(at))))
	r.timer.Stop()
	r.run = nil
	r.seen = append(r.seen[:0], piece{run, run.start(), run.end(goes)})
	r.sample.hunt(run.end(n))
	r.tellPart(run, from, n)
}

// plan lets the receiver read what has arrived, and has it called for what will.
func (r *receiver) plan() {
	r.timer.Stop()
	for r.hears() {
		next := r.sample
		x, ok := next.read(r.format, r.seen, simbus.Never)
		if !ok {
			break
		}
		if x.end > r.p.clock.Now() {
			r.timer = r.p.clock.At(x.end, r.expire)
			break
		}
		if r.settle(x.end) {
			continue
		}
		r.sample = next
		r.tellCharacter(x)
	}
	r.seen = prune(r.seen, r.sample.needs(r.format, r.p.clock.Now()))
}

// settle says that all characters have been read that have gone over at a time. It tells
// whether one of them has not, for a cut that the receiver is yet to hear of: the line is to
// be read once more then. Clocks that differ make up for less than half a bit.
func (r *receiver) settle(at simbus.Time) (changed bool) {
	for i := range r.seen {
		p := &r.seen[i]
		if p.kind != chars || p.start() > at {
			continue
		}
		n := int(min((p.half(at)+1)/p.char, int64(len(p.data))))
		if m := p.fate.read(n); m < n && p.until > p.end(m) {
			p.until, changed = p.end(m), true
		}
	}
	return changed
}

// tellCharacter gives the port one that was read.
func (r *receiver) tellCharacter(x character) {
	r.tell(Received{Data: []byte{x.data}, End: x.end, Flags: x.flags})
}

// clear takes the receiver off its line.
func (r *receiver) clear() {
	r.rest(r.p.clock.Now())
	r.live = nil
	r.plan()
}

// rest lets the line that the receiver sees rest from now on.
func (r *receiver) rest(now simbus.Time) {
	r.sampled(now)
	for i := range r.seen {
		r.seen[i].until = min(r.seen[i].until, now)
	}
}

// prune leaves out what is over.
func prune(pieces []piece, now simbus.Time) []piece {
	kept := pieces[:0]
	for _, p := range pieces {
		if p.until > now {
			kept = append(kept, p)
		}
	}
	return kept
}
