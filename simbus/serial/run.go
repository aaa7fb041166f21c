package serial

import (
	"math/bits"
	"sync/atomic"
	"time"

	"backplane/simbus"
)

// moment is a point on the time line that need not be a whole nanosecond: so many half bits
// of a rate after another.
type moment struct {
	origin simbus.Time
	halves int64
	rate   Rate
}

// time is the nanosecond that the moment is in.
func (m moment) time() simbus.Time { return m.origin.Add(m.rate.halves(m.halves)) }

// after is the moment so many half bits of its rate later.
func (m moment) after(halves int64) moment {
	m.halves += halves
	return m
}

// plus is the time so many half bits of another rate later.
func (m moment) plus(halves int64, rate Rate) simbus.Time {
	if m.rate == rate {
		return m.after(halves).time()
	}
	whole, rest := m.rate.divide(m.halves)
	more, another := rate.divide(halves)
	if carry(rest, 2*uint64(m.rate.Bits), another, 2*uint64(rate.Bits)) {
		more++
	}
	return m.origin.Add(whole + more)
}

// carry tells whether a/b + c/d is 1 or more.
func carry(a, b, c, d uint64) bool {
	hi, lo := bits.Mul64(a, d)
	hi2, lo2 := bits.Mul64(c, b)
	all, low := bits.Mul64(b, d)
	lo, over := bits.Add64(lo, lo2, 0)
	hi, _ = bits.Add64(hi, hi2, over)
	return hi > all || hi == all && lo >= low
}

// run is what a transmitter does to its line for a while. It does not change once others
// have it, but for its fate.
type run struct {
	kind  kind
	begin moment
	of    *run // the one that this is, later or with noise; nil: itself
	// Of characters:
	format Format
	char   int64 // half bits of one
	data   []byte
	flips  []flip // noise
	fate   *fate
}

// fate is how many characters of a run go over the line. Its sender may cut it, and in real
// time its receiver hears of a cut late: what the receiver has read by then has gone over.
// In virtual time a cut is always heard of before the characters that it leaves out are read.
type fate struct{ word atomic.Uint64 } // how many were read, and above that how many go over

func newFate(n int) *fate {
	f := new(fate)
	f.word.Store(uint64(n) << 32)
	return f
}

// read says that n characters have been read, and returns how many of them go over.
func (f *fate) read(n int) int {
	for {
		w := f.word.Load()
		read, goes := uint64(uint32(w)), w>>32
		n := min(uint64(n), goes)
		if n <= read || f.word.CompareAndSwap(w, goes<<32|n) {
			return int(n)
		}
	}
}

// cut lets n characters go over, and those that were read. It returns how many that are.
func (f *fate) cut(n int) int {
	for {
		w := f.word.Load()
		read, goes := uint64(uint32(w)), w>>32
		goes = min(goes, max(read, uint64(n)))
		if f.word.CompareAndSwap(w, goes<<32|read) {
			return int(goes)
		}
	}
}

type kind uint8

const (
	chars kind = iota
	space      // the line is held low, without an end
	rest       // it is held high, without an end, as an RS-485 driver does that is enabled
)

// flip turns bits of a character over; bit 0 is the start bit.
type flip struct {
	char int
	bits uint16
}

// same tells whether two are one run, as the line has changed it.
func (r *run) same(other *run) bool { return r.original() == other.original() }

func (r *run) original() *run {
	if r.of != nil {
		return r.of
	}
	return r
}

// start is when the run begins.
func (r *run) start() simbus.Time { return r.begin.time() }

// edge is the moment at which a bit of a character begins; bit 0 is the start bit.
func (r *run) edge(char int, bit int64) moment {
	return r.begin.after(int64(char)*r.char + 2*bit)
}

// end is when so many of its characters have gone over.
func (r *run) end(n int) simbus.Time { return r.edge(n, 0).time() }

// over is when its last character has gone over.
func (r *run) over() simbus.Time {
	if r.kind != chars {
		return simbus.Never
	}
	return r.end(len(r.data))
}

// half is in which half bit of the run a time is, which is not before it. A nanosecond in
// which one begins belongs to that.
func (r *run) half(t simbus.Time) int64 {
	hi, lo := bits.Mul64(uint64(t.Sub(r.begin.origin))+1, 2*uint64(r.format.Rate.Bits))
	lo, borrow := bits.Sub64(lo, 1, 0)
	q, _ := bits.Div64(hi-borrow, lo, uint64(r.format.Rate.Seconds)*uint64(time.Second))
	return int64(q) - r.begin.halves
}

// done is how many characters have gone over at a time.
func (r *run) done(t simbus.Time) int {
	if t < r.start() {
		return 0
	}
	return int(min(r.half(t)/r.char, int64(len(r.data))))
}

// begun is how many characters have begun before a time.
func (r *run) begun(t simbus.Time) int {
	n := r.done(t)
	if n < len(r.data) && r.end(n) < t {
		n++
	}
	return n
}

// frame is a character's levels, bit 0 being the start bit; all after its last bit are high.
func (r *run) frame(char int) uint16 {
	n := r.format.Data
	v := uint16(r.data[char]) & (1<<n - 1)
	w := ^uint16(0)<<(n+1) | v<<1
	if r.format.Parity != None && r.format.Parity.bit(v) == 0 {
		w &^= 1 << (n + 1)
	}
	for _, f := range r.flips {
		if f.char == char {
			w ^= f.bits
		}
	}
	return w
}

// bit is the parity bit of some data.
func (p Parity) bit(data uint16) uint16 {
	odd := uint16(bits.OnesCount16(data) & 1)
	switch p {
	case Even:
		return odd
	case Odd:
		return 1 - odd
	case Mark:
		return 1
	}
	return 0
}
