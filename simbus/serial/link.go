package serial

import (
	"time"

	"backplane/simbus"
)

// Wiring is where a cable's modem lines go.
type Wiring uint8

// The wirings.
const (
	NullModem Wiring = iota // RTS to CTS, DTR to DSR and DCD
	Straight                // RTS to CTS, DTR to DSR, as between a terminal and a modem; DCD and RI are open
	ThreeWire               // none: all inputs are open
)

// WiringNames are the wirings' names, in their order.
var WiringNames = []string{"null-modem", "straight", "three-wire"}

// String is "null-modem" and so on.
func (w Wiring) String() string { return WiringNames[w] }

// drives are the inputs that the other end drives.
func (w Wiring) drives() Lines { return w.inputs(Outputs) }

// inputs is what an end sees of the other's outputs.
func (w Wiring) inputs(outputs Lines) (l Lines) {
	if w == ThreeWire {
		return 0
	}
	if outputs&RTS != 0 {
		l |= CTS
	}
	if outputs&DTR != 0 {
		l |= DSR
		if w == NullModem {
			l |= DCD
		}
	}
	return l
}

// Cable is what joins two ports.
type Cable struct {
	// Delay is how long everything takes from one end to the other. With 0 characters
	// take no time; breaks and modem lines, which nobody can know in advance, take as long
	// as a character but for its last bit, at the faster end's format.
	Delay  time.Duration
	Wiring Wiring
}

// End is a port and the domain that drives it.
type End struct {
	Port   *Port
	Domain *simbus.Domain
}

// Link is a cable between two ports.
type Link struct {
	ways [2]*way // by the end that receives
}

// way is one direction of a link, and the medium of the port that sends.
type way struct {
	Cable
	from, to End
	crossing *simbus.Crossing[signal]
	// The sender's:
	peer time.Duration // the lead of the other end, as far as known
	back *way
	// The receiver's:
	shown Lines // the other end's outputs
	cut   bool
	gone  bool // the cable is off for good
}

// signal is what passes on a way.
type signal struct {
	what  what
	run   *run
	at    simbus.Time
	lines Lines
	lead  time.Duration
}

type what uint8

const (
	begins what = iota
	ends
	outputs
	leads
)

// Join joins two ports. Like [simbus.Domain.Do] it is for callers from outside.
func Join(a, b End, c Cable) *Link { return join(a, b, c, (*simbus.Domain).Do) }

// JoinHere joins two ports of one domain, on whose goroutine it is called.
func JoinHere(a, b End, c Cable) *Link {
	return join(a, b, c, func(_ *simbus.Domain, f func()) { f() })
}

// join joins two ports, each where do has its domain driven.
func join(a, b End, c Cable, do func(d *simbus.Domain, f func())) *Link {
	l := new(Link)
	ends := [2]End{a, b}
	var leads [2]time.Duration
	var shown [2]Lines
	for i, e := range ends {
		do(e.Domain, func() { leads[i], shown[i] = e.Port.tx.format.lead(), e.Port.shown() })
	}
	for i := range l.ways {
		l.ways[i] = &way{Cable: c, from: ends[1-i], to: ends[i], peer: leads[i], shown: shown[1-i]}
	}
	for i, w := range l.ways {
		w.back = l.ways[1-i]
		least := c.Delay
		if least == 0 {
			least = max(1, min(leads[0], leads[1]))
		}
		w.crossing = simbus.NewCrossing(w.from.Domain, w.to.Domain, least, w.arrive)
	}
	for i, w := range l.ways {
		do(w.to.Domain, func() {
			w.to.Port.rx.clear()
			w.show()
		})
		do(w.from.Domain, func() {
			p := w.from.Port
			p.join(w)
			if p.tx.format.lead() != leads[1-i] { // in real time, while it was joined
				w.format(p)
			}
			if p.shown() != shown[1-i] {
				w.lines(p)
			}
		})
	}
	return l
}

// Leave takes the cable off for good. What is under way is lost. Like [simbus.Domain.Do] it
// is for callers from outside.
func (l *Link) Leave() { l.leave((*simbus.Domain).Do) }

// LeaveHere is Leave for a link of one domain, on whose goroutine it is called.
func (l *Link) LeaveHere() { l.leave(func(_ *simbus.Domain, f func()) { f() }) }

func (l *Link) leave(do func(d *simbus.Domain, f func())) {
	for _, w := range l.ways {
		do(w.to.Domain, func() {
			w.gone = true
			w.to.Port.part(w.back)
		})
	}
	for _, w := range l.ways {
		w.crossing.Close()
	}
}

// least is how long everything takes at least.
func (w *way) least() time.Duration {
	if w.Delay > 0 {
		return w.Delay
	}
	return max(1, min(w.peer, w.from.Port.tx.format.lead()))
}

func (w *way) send(s signal, at simbus.Time) { w.crossing.Send(at, s) }

func (w *way) begin(_ *Port, r *run, at simbus.Time) {
	w.send(signal{what: begins, run: w.shifted(r), at: at.Add(w.Delay)}, w.from.Domain.Now().Add(w.Delay))
}

func (w *way) end(_ *Port, r *run, at simbus.Time) {
	w.send(signal{what: ends, run: w.shifted(r), at: at.Add(w.Delay)}, w.from.Domain.Now().Add(w.Delay))
}

// shifted is the run as the other end has it.
func (w *way) shifted(r *run) *run {
	if w.Delay == 0 {
		return r
	}
	later := *r
	later.of = r.original()
	later.begin.origin = later.begin.origin.Add(w.Delay)
	return &later
}

// lead is 0 with a delay: everything is as much later then.
func (w *way) lead(*Port) time.Duration {
	if w.Delay > 0 {
		return 0
	}
	return w.crossing.Least()
}

func (w *way) format(*Port) {
	w.send(signal{what: leads, lead: w.from.Port.tx.format.lead()}, w.from.Domain.Now().Add(w.Delay))
	w.adjust()
}

func (w *way) adjust() {
	if w.Delay == 0 {
		w.crossing.SetLeast(w.least())
	}
}

func (w *way) lines(*Port) {
	w.send(signal{what: outputs, lines: w.from.Port.shown()}, w.from.Domain.Now().Add(max(w.Delay, w.lead(nil))))
}

// arrive is called in the domain of the end that receives.
func (w *way) arrive(s signal) {
	if w.gone {
		return
	}
	switch p := w.to.Port; s.what {
	case begins:
		p.rx.add(s.run, s.at)
	case ends:
		p.rx.end(s.run, s.at)
	case outputs:
		w.shown = s.lines
		w.show()
	case leads: // of what goes the other way
		w.back.peer = s.lead
		w.back.adjust()
	}
}

// show shows the port the other end's lines.
func (w *way) show() {
	l := w.Wiring.inputs(w.shown)
	if w.cut {
		l = 0
	}
	w.to.Port.wire(w.Wiring.drives(), l)
}

// Cut takes the cable off, or puts it back: nothing arrives, and modem lines are inactive.
// Like [simbus.Domain.Do] it is for callers from outside.
func (l *Link) Cut(cut bool) {
	for _, w := range l.ways {
		w.to.Domain.Do(func() {
			w.cut = cut
			w.to.Port.rx.gate(gateCut, cut)
			w.show()
		})
	}
}

// Replace lets a port have the end of a link that another one has, of the same domain, on
// whose goroutine it is called. It is no end of a link itself.
func Replace(old, by *Port) {
	out, ok := old.line.(*way)
	if !ok || old == by {
		return
	}
	in := out.back
	old.part(out)
	out.from.Port, in.to.Port = by, by
	by.rx.clear()
	by.join(out)
	by.rx.gate(gateCut, in.cut)
	in.show()
	out.format(by)
	out.lines(by)
}

// part takes the port off a link that it has an end of.
func (p *Port) part(out *way) {
	if p.line != out {
		return
	}
	p.join(nil)
	p.rx.gate(gateCut, false)
	p.rx.clear()
	p.wire(0, 0)
}

// wire says which inputs the line drives, and how.
func (p *Port) wire(driven, l Lines) {
	p.change(func() { p.driven, p.linked = driven, l })
}
