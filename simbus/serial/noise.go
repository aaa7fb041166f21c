package serial

import (
	"math"
	"math/rand/v2"
)

// noise turns bits of characters over, by chance.
type noise struct {
	rate float64 // the part of the bits
	rand *rand.Rand
	gap  int64 // bits until the next one
}

func newNoise(rate float64, r *rand.Rand) *noise {
	n := &noise{rate: rate, rand: r}
	n.draw()
	return n
}

// draw finds how many bits are good before the next one that is not.
func (n *noise) draw() {
	if n.gap = 0; n.rate < 1 {
		n.gap = int64(min(math.Log(1-n.rand.Float64())/math.Log1p(-n.rate), 1<<62))
	}
}

// disturb is the run with its noise.
func (n *noise) disturb(r *run) *run {
	frame := (r.char + 1) / 2 // half a stop bit counts as one
	total := frame * int64(len(r.data))
	if n.gap >= total {
		n.gap -= total
		return r
	}
	bad := *r
	bad.of = r.original()
	for n.gap < total {
		bad.flips = append(bad.flips, flip{int(n.gap / frame), 1 << (n.gap % frame)})
		at := n.gap
		n.draw()
		n.gap += at + 1
	}
	n.gap -= total
	return &bad
}
