package serial

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
