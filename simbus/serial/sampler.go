package serial

import "backplane/simbus"

// sampler is how a UART reads a line: it waits for a falling edge, and looks at the middle of
// each bit from there on. If the start bit is high there it was none. Of stop bits it looks at
// the first, and then waits for the next falling edge. It is a value, so that a copy can tell
// what comes of what is known of the line.
type sampler struct {
	framing bool        // it is in a character
	at      simbus.Time // it has looked at the line before that
	start   moment
	bit     int // of the character, to be looked at next
	word    uint16
}

// hunt lets it wait for an edge at that time or later.
func (s *sampler) hunt(at simbus.Time) { *s = sampler{at: at} }

// read reads a character that has ended at limit, and looks at nothing after that. ok is
// false if there is none.
func (s *sampler) read(f Format, seen []piece, limit simbus.Time) (x character, ok bool) {
	last := f.bits() // the first stop bit
	for {
		if !s.framing {
			edge, ok := fall(seen, s.at)
			if !ok || edge.time() >= limit {
				s.at = max(s.at, limit)
				return x, false
			}
			*s = sampler{framing: true, at: edge.time(), start: edge}
		}
		t := s.next(f)
		end := t
		if s.bit == last {
			end = s.start.plus(f.HalfBits(), f.Rate)
		}
		if t >= limit || end > limit {
			return x, false
		}
		s.at = t
		high := level(seen, t)
		if high {
			s.word |= 1 << s.bit
		}
		switch {
		case s.bit == 0 && high:
			s.hunt(t + 1)
		case s.bit < last:
			s.bit++
		default:
			x = f.character(s.word)
			x.end = end
			s.hunt(t + 1)
			return x, true
		}
	}
}

// needs is up to when a part of the line may be over that the sampler never looks at again. In
// a character that is the next bit's middle, far ahead of the last one at a low rate; but what
// is on the line now it may still look at, since another format lets it wait for an edge.
func (s *sampler) needs(f Format, now simbus.Time) simbus.Time {
	if !s.framing {
		return s.at - 1
	}
	return min(s.next(f), now-1)
}

// next is when it looks at the line next, in a character.
func (s *sampler) next(f Format) simbus.Time { return s.start.plus(int64(2*s.bit+1), f.Rate) }

// character is what was read.
type character struct {
	data  byte
	flags Flags
	end   simbus.Time
}

// bits is how many bits come before the first stop bit.
func (f Format) bits() int {
	n := 1 + f.Data
	if f.Parity != None {
		n++
	}
	return n
}

// character is what sampled levels mean, bit 0 being the start bit.
func (f Format) character(word uint16) (x character) {
	data := word >> 1 & (1<<f.Data - 1)
	x.data = byte(data)
	switch {
	case word == 0:
		x.flags = Break | FramingError
		return x
	case word>>f.bits()&1 == 0:
		x.flags = FramingError
	}
	if f.Parity != None && word>>(f.Data+1)&1 != f.Parity.bit(data) {
		x.flags |= ParityError
	}
	return x
}

// level tells whether the line is high at a time. Any that drives it high wins; without any
// it rests.
func level(seen []piece, t simbus.Time) bool {
	low := false
	for i := range seen {
		if p := &seen[i]; p.from <= t && t < p.until {
			if p.high(t) {
				return true
			}
			low = true
		}
	}
	return !low
}

// high tells whether the run is high at a time at which it is on the line.
func (r *run) high(t simbus.Time) bool {
	if r.kind != chars {
		return r.kind == rest
	}
	h := r.half(t)
	return r.frame(int(h/r.char))>>(h%r.char/2)&1 != 0
}

// fall is the first falling edge of a line at that time or later.
func fall(seen []piece, at simbus.Time) (moment, bool) {
	for {
		best, first := moment{}, simbus.Never
		for i := range seen {
			m, ok := seen[i].fall(at)
			if ok && m.time() <= first {
				best, first = m, m.time()
			}
			// What another drives low may show when this ends; an edge that is exact comes first.
			if end := seen[i].until; len(seen) > 1 && end >= at && end < first {
				best, first = moment{origin: end, rate: seen[i].begin.rate}, end
			}
		}
		if first == simbus.Never {
			return best, false
		}
		if !level(seen, first) && level(seen, first-1) {
			return best, true
		}
		at = first + 1
	}
}

// fall is where the piece itself goes low first, at that time or later.
func (p *piece) fall(at simbus.Time) (m moment, ok bool) {
	if at = max(at, p.from); at >= p.until {
		return m, false
	}
	start := p.start()
	if at == p.from && at > start || p.kind != chars {
		if at == p.from && !p.high(at) {
			return moment{origin: at, rate: p.begin.rate}, true
		}
		if p.kind != chars {
			return m, false
		}
	}
	n := int64(0) // the first half bit that begins then or later
	if at > start {
		n = p.half(at-1) + 1
	}
	char, bit := int(n/p.char), (n%p.char+1)/2
	for ; char < len(p.data); char, bit = char+1, 0 {
		word := p.frame(char)
		for ; 2*bit < p.char; bit++ {
			if word>>bit&1 == 0 && p.before(char, bit, word) {
				m = p.edge(char, bit)
				return m, m.time() < p.until
			}
		}
	}
	return m, false
}

// before is the level of the bit before one.
func (r *run) before(char int, bit int64, word uint16) bool {
	if bit > 0 {
		return word>>(bit-1)&1 != 0
	}
	return char == 0 || r.frame(char-1)>>((r.char-1)/2)&1 != 0
}
