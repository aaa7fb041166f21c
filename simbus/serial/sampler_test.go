package serial

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"backplane/simbus"

	"pgregory.net/rapid"
)

// edges are the times, in nanoseconds, at which a line changes: it is high before the first.
type edges []*big.Rat

// set makes the line high or low from a time on.
func (e *edges) set(high bool, at *big.Rat) {
	if now := len(*e)%2 == 0; now != high {
		*e = append(*e, at)
	}
}

// high is the line's level at a time.
func (e edges) high(at *big.Rat) bool {
	n := 0
	for n < len(e) && e[n].Cmp(at) <= 0 {
		n++
	}
	return n%2 == 0
}

// halfBit is half a bit of a rate in nanoseconds.
func halfBit(r Rate) *big.Rat {
	return new(big.Rat).SetFrac64(r.Seconds*1e9, 2*r.Bits)
}

// after is a time so many half bits later.
func after(t *big.Rat, halves int64, r Rate) *big.Rat {
	d := new(big.Rat).Mul(halfBit(r), new(big.Rat).SetInt64(halves))
	return d.Add(d, t)
}

// floor is the nanosecond that a time is in.
func floor(t *big.Rat) simbus.Time {
	return simbus.Time(new(big.Int).Div(t.Num(), t.Denom()).Int64())
}

// character puts one on the line, bit by bit, and returns its end.
func (e *edges) character(t *big.Rat, f Format, data byte) *big.Rat {
	put := func(high bool, halves int64) {
		e.set(high, t)
		t = after(t, halves, f.Rate)
	}
	put(false, 2)
	ones := 0
	for i := range f.Data {
		one := data>>i&1 == 1
		if one {
			ones++
		}
		put(one, 2)
	}
	switch f.Parity {
	case Even:
		put(ones%2 == 1, 2)
	case Odd:
		put(ones%2 == 0, 2)
	case Mark:
		put(true, 2)
	case Space:
		put(false, 2)
	}
	put(true, int64(f.Stop))
	return t
}

// read is what a UART of the format reads that waits for an edge from a time on, until another,
// worked out as its data sheet says.
func (e edges) read(f Format, from, until simbus.Time) (got []string) {
	for i := 0; i < len(e); i += 2 { // falling edges
		start := e[i]
		if floor(start) < from {
			continue
		}
		n := f.Data
		if f.Parity != None {
			n++
		}
		var levels []bool
		for bit := range n + 2 {
			levels = append(levels, e.high(after(start, int64(2*bit+1), f.Rate)))
		}
		seen := after(start, int64(2*n+3), f.Rate)
		if levels[0] { // no start bit
			seen = after(start, 1, f.Rate)
		} else {
			data, ones, any := 0, 0, false
			for bit, high := range levels[1 : n+1] {
				any = any || high
				if high && bit < f.Data {
					data |= 1 << bit
					ones++
				}
			}
			var flags Flags
			if f.Parity != None && levels[n] != map[Parity]bool{Even: ones%2 == 1, Odd: ones%2 == 0, Mark: true, Space: false}[f.Parity] {
				flags |= ParityError
			}
			if !levels[n+1] {
				if flags |= FramingError; !any {
					flags = FramingError | Break
				}
			}
			end := floor(after(start, f.HalfBits(), f.Rate))
			if end > until {
				return got
			}
			got = append(got, fmt.Sprintf("%s %#02x %s", end, data, flags))
		}
		for i+2 < len(e) && e[i+2].Cmp(seen) <= 0 {
			i += 2
		}
	}
	return got
}

func drawFormat(rt *rapid.T, label string, rates ...Rate) Format {
	return Format{
		Rate:   rapid.SampledFrom(rates).Draw(rt, label+" rate"),
		Data:   rapid.IntRange(5, 8).Draw(rt, label+" data"),
		Parity: Parity(rapid.IntRange(0, int(Space)).Draw(rt, label+" parity")),
		Stop:   Stop(rapid.IntRange(int(Stop1), int(Stop2)).Draw(rt, label+" stop")),
	}
}

// wireTap is a medium that shows runs to receivers, as they are or to be sampled.
type wireTap struct {
	*Bus
	sampled *Port
}

func (w *wireTap) begin(p *Port, r *run, at simbus.Time) {
	copied := *r
	copied.of, copied.flips = r, []flip{}
	w.sampled.rx.add(&copied, at)
	w.Bus.begin(p, r, at)
}

func (w *wireTap) end(p *Port, r *run, at simbus.Time) {
	w.sampled.rx.end(r, at)
	w.Bus.end(p, r, at)
}

// listener is a port that notes the characters that it receives, each with its end.
func listener(clock simbus.Clock, f Format, got *[]string) *Port {
	p := NewPort(clock)
	p.SetFormat(f)
	p.OnReceive = func(x Received) {
		for i, v := range x.Data {
			// The last one's end is told; the others can be worked out, to a nanosecond.
			end, flags := simbus.Time(-1), Flags(0)
			if i == len(x.Data)-1 {
				end, flags = x.End, x.Flags
			}
			*got = append(*got, fmt.Sprintf("%s %#02x %s", end, v, flags))
		}
	}
	return p
}

// rates are what lines have, and what their ratios make of them: rates that differ by nothing,
// by a little, by much, and by so much that one's bit is many of the other's characters.
var rates = []Rate{Baud(300), Baud(1_000_000), Baud(9600), Baud(9700), Baud(9900), Baud(10_200), Baud(19_200), Baud(115_200), Divided(1_843_200, 12), Divided(24_000_000, 13), Baud(57_600)}

// TestSampled compares what a receiver of any format reads with what the levels of the line
// say, bit by bit and in exact numbers; and what it takes as it is with what it samples.
func TestSampled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cal := simbus.NewVirtual()
		defer cal.Close()
		d, err := cal.AddDomain("board")
		if err != nil {
			rt.Fatal(err)
		}
		from := drawFormat(rt, "from", rates...)
		to := from
		if rapid.Bool().Draw(rt, "differ") {
			to = drawFormat(rt, "to", rates...)
		}
		other, change := to, simbus.Never // what the receiver is set to at a time
		if rapid.Bool().Draw(rt, "change") {
			other, change = drawFormat(rt, "other", rates...), simbus.Time(rapid.IntRange(0, 20_000_000).Draw(rt, "change at"))
		}
		if other == to { // a receiver goes on with the character it is in
			change = simbus.Never
		}
		var direct, sampled []string
		a, b, c := NewPort(d), listener(d, to, &direct), listener(d, to, &sampled)
		a.SetFormat(from)
		if change != simbus.Never {
			d.Do(func() { d.At(change, func() { c.SetFormat(other) }) })
		}
		b.SetBatch(1)
		line := &wireTap{NewBus(), c}
		b.SetDriver(false)
		line.Join(b)
		a.join(line)

		singly, waiting := rapid.Bool().Draw(rt, "singly"), []byte(nil)
		next := func() {
			if len(waiting) > 0 {
				data := waiting[:1]
				waiting = waiting[1:]
				a.Transmit(data)
			}
		}
		a.OnSent = func([]byte) { next() }

		var want edges
		end := new(big.Rat)
		at := simbus.Time(0)
		for range rapid.IntRange(1, 6).Draw(rt, "writes") {
			data := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(rt, "data")
			gap := rapid.IntRange(0, 3_000_000).Draw(rt, "gap")
			if rapid.Bool().Draw(rt, "at once") {
				gap = 0
			}
			at += simbus.Time(gap)
			d.Do(func() {
				d.At(at, func() {
					if !singly {
						a.Transmit(slices.Clone(data))
					} else if waiting = append(waiting, data...); !a.Busy() {
						next()
					}
				})
			})
			if begin := new(big.Rat).SetInt64(int64(at)); floor(end) < at {
				end = begin
			}
			for _, v := range data {
				end = want.character(end, from, v)
			}
		}
		if _, err := cal.Advance(t.Context(), floor(end)+simbus.Time(80e6), nil); err != nil {
			rt.Fatal(err)
		}
		all := want.read(to, 0, change)
		if change != simbus.Never {
			all = append(all, want.read(other, change, simbus.Never)...)
		}
		if !slices.Equal(sampled, all) {
			rt.Fatalf("%s to %s, and at %s %s, sampled:\n%q, want\n%q", from, to, change, other, sampled, all)
		}
		if from.Rate == to.Rate && change == simbus.Never && !slices.Equal(direct, sampled) {
			rt.Fatalf("%s to %s, as it is:\n%q, sampled\n%q", from, to, direct, sampled)
		}
	})
}
