package serial

import "math/rand/v2"

// clockError is how wrong a UART's clock is, in millionths.
type clockError struct{ ppm int }

// MaxClockError is how wrong a clock may be, in millionths.
const MaxClockError = 500_000

// of is the rate that such a clock makes of one.
func (e clockError) of(r Rate) Rate {
	if e.ppm == 0 {
		return r
	}
	const parts = 1024
	return Rate{int64(r.Float()*(1+float64(e.ppm)/1e6)*parts + 0.5), parts}
}

// SetClockError makes the port's clock, and so its rate, wrong by so many millionths, up to
// MaxClockError either way.
func (p *Port) SetClockError(ppm int) {
	p.ppm = min(max(ppm, -MaxClockError), MaxClockError)
	p.SetFormat(p.wants)
}

// ClockError is what SetClockError has set.
func (p *Port) ClockError() int { return p.ppm }

// SetNoise turns over that part, 0 to 1, of the bits of characters that the port receives, from
// the next run on. Chance comes from rand.
func (p *Port) SetNoise(rate float64, rand *rand.Rand) {
	if p.rx.noise = nil; rate > 0 {
		p.rx.noise = newNoise(rate, rand)
	}
}

// Noise is the part that SetNoise has set.
func (p *Port) Noise() float64 {
	if p.rx.noise == nil {
		return 0
	}
	return p.rx.noise.rate
}

// SetStuck holds what the port receives low, as a short circuit does, or lets it go.
func (p *Port) SetStuck(on bool) { p.rx.gate(gateStuck, on) }

// Stuck tells what SetStuck has set.
func (p *Port) Stuck() bool { return p.rx.closed&gateStuck != 0 }
