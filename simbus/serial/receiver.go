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
	heard := r.hears() && r.timer != nil
	_ = heard
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
	r.sampled(now)
	for i := range r.seen {
		r.seen[i].until = min(r.seen[i].until, now)
	}
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
	if r.run == nil && r.fits(n) && from <= n.start() && r.quiet(from) {
		r.seen, r.run, r.taken, r.goes = r.seen[:0], n, 0, len(n.data)
		r.planRun()
		return
	}
	r.sampled(from)
	r.seen = append(r.seen, p)
	r.plan()
}

// end says that a run is on the line until a time.
func (r *receiver) end(n *run, until simbus.Time) {
	mine := false
	for i := range r.live {
		if same(r.live[i].run, n) {
			r.live[i].until, mine = min(r.live[i].until, until), true
		}
	}
	if !mine || r.closed != 0 {
		return
	}
	if r.run != nil && same(r.run, n) {
		if done := max(r.taken, r.run.done(until)); r.run.end(done) >= until {
			r.goes = min(r.goes, done)
			r.planRun()
			return
		}
	}
	r.sampled(until)
	for i := range r.seen {
		if same(r.seen[i].run, n) {
			r.seen[i].until = min(r.seen[i].until, until)
		}
	}
	r.plan()
}

// same tells whether two are one run, or such a one with noise.
func same(a, b *run) bool {
	return a.begin == b.begin && a.kind == b.kind && (a == b || sameData(a, b))
}

func sameData(a, b *run) bool {
	return len(a.data) == len(b.data) && len(a.data) > 0 && &a.data[0] == &b.data[0]
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

// quiet tells whether the line rests at a time, and the receiver looks for a start bit.
func (r *receiver) quiet(at simbus.Time) bool {
	if len(r.seen) == 0 {
		return r.sample.state == hunting
	}
	for _, s := range r.seen {
		if s.until > at {
			return false
		}
	}
	s := r.sample
	s.skip(r, at)
	return s.state == hunting
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
	r.taken = n
	if n == r.goes {
		r.timer.Stop()
		r.run = nil
		r.sample.hunt(run.end(n))
	}
	if n > from {
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
		r.dueSample()
		return
	}
	n := r.run.done(r.p.clock.Now())
	if n = min(n, r.goes); n == r.goes {
		r.take(n)
		return
	}
	r.take(n)
	if r.run != nil {
		r.planRun()
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
