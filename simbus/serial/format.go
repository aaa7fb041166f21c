package serial

import (
	"fmt"
	"math/bits"
	"time"

	"backplane/simbus"
)

// Rate is how fast a line is: Bits in so many Seconds. It is exact, as a clock that is
// divided is. Rates that are equal are the same value if [Baud] or [Divided] made them.
type Rate struct{ Bits, Seconds int64 }

// Baud is a rate in bits a second.
func Baud(n int) Rate { return Rate{int64(n), 1} }

// Divided is the rate of a UART whose clock, in Hz, is divided by 16 and a divisor.
func Divided(clock, divisor int64) Rate {
	r := Rate{clock, 16 * divisor}
	for a, b := r.Bits, r.Seconds; ; a, b = b, a%b {
		if b == 0 {
			return Rate{r.Bits / a, r.Seconds / a}
		}
	}
}

// Baud is the rate in bits a second, rounded.
func (r Rate) Baud() int { return int((r.Bits + r.Seconds/2) / r.Seconds) }

// Float is the rate in bits a second.
func (r Rate) Float() float64 { return float64(r.Bits) / float64(r.Seconds) }

// String is "115200 baud".
func (r Rate) String() string {
	if r.Seconds == 1 {
		return fmt.Sprintf("%d baud", r.Bits)
	}
	return fmt.Sprintf("%.2f baud", r.Float())
}

// halves is how long so many half bits take, rounded down to a nanosecond.
func (r Rate) halves(n int64) time.Duration {
	d, _ := r.divide(n)
	return d
}

// divide is how many whole nanoseconds so many half bits take, and what is left, in parts of
// one of which it has 2*r.Bits.
func (r Rate) divide(n int64) (time.Duration, uint64) {
	if n == 0 {
		return 0, 0
	}
	hi, lo := bits.Mul64(uint64(n), uint64(r.Seconds)*uint64(time.Second))
	parts := 2 * uint64(r.Bits)
	if hi >= parts {
		return time.Duration(simbus.Never), 0
	}
	q, rest := bits.Div64(hi, lo, parts)
	if q > uint64(simbus.Never) {
		return time.Duration(simbus.Never), 0
	}
	return time.Duration(q), rest
}

// Parity is the bit after the data.
type Parity uint8

// The parities: the number of ones, with the parity bit, is even or odd, or the bit is always
// one (mark) or zero (space).
const (
	None Parity = iota
	Even
	Odd
	Mark
	Space
)

var parityNames = [...]string{"none", "even", "odd", "mark", "space"}

// String is "none", "even" and so on.
func (p Parity) String() string { return parityNames[p] }

// Stop is how long the line rests at least after a character, in half bits.
type Stop uint8

// The lengths.
const (
	Stop1     Stop = 2
	Stop1Half Stop = 3 // one and a half
	Stop2     Stop = 4
)

// Format is what one end of a line is set to.
type Format struct {
	Rate   Rate
	Data   int // bits of data: 5 to 8
	Parity Parity
	Stop   Stop
}

// EightN1 is the format that most lines have.
func EightN1(r Rate) Format { return Format{Rate: r, Data: 8, Stop: Stop1} }

// Check says what is wrong with a format, for those whose values come from a guest.
func (f Format) Check() error {
	switch {
	case f.Rate.Bits < 1 || f.Rate.Seconds < 1 || f.Rate.Bits/f.Rate.Seconds > MaxBaud || f.Rate.Seconds > maxSeconds:
		return fmt.Errorf("a rate of %d bits in %d seconds: it must be up to %d baud", f.Rate.Bits, f.Rate.Seconds, MaxBaud)
	case f.Data < 5 || f.Data > 8:
		return fmt.Errorf("%d data bits: it must be 5 to 8", f.Data)
	case f.Parity > Space:
		return fmt.Errorf("parity %d: there is no such", f.Parity)
	case f.Stop < Stop1 || f.Stop > Stop2:
		return fmt.Errorf("%d half stop bits: it must be 2 to 4", f.Stop)
	}
	return nil
}

// MaxBaud is the highest rate, so that a bit is at least 40 ns.
const MaxBaud = 25_000_000

// maxSeconds bounds how slow a line is, so that times can be worked out in 128 bits.
const maxSeconds = 1 << 33

// String is "115200 8N1".
func (f Format) String() string {
	rate := fmt.Sprint(f.Rate.Bits)
	if f.Rate.Seconds != 1 {
		rate = fmt.Sprintf("%.2f", f.Rate.Float())
	}
	return rate + " " + f.Frame()
}

// Frame is the format without its rate: "8N1".
func (f Format) Frame() string {
	stop := map[Stop]string{Stop1: "1", Stop1Half: "1.5", Stop2: "2"}[f.Stop]
	return fmt.Sprintf("%d%c%s", f.Data, "NEOMS"[f.Parity], stop)
}

// HalfBits is how long a character is, in half bits: from its start bit to the end of its stop bits.
func (f Format) HalfBits() int64 {
	n := 2*(1+f.Data) + int(f.Stop)
	if f.Parity != None {
		n += 2
	}
	return int64(n)
}

// Duration is how long so many characters take.
func (f Format) Duration(chars int) time.Duration { return f.Rate.halves(int64(chars) * f.HalfBits()) }

// lead is how long a character takes but for its last bit: an end that tells the other of
// something has it know before a character that begins then has ended.
func (f Format) lead() time.Duration { return f.Rate.halves(f.HalfBits() - 2) }
