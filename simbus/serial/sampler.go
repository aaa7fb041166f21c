package serial

import "backplane/simbus"

type samplerState uint8

const (
	hunting samplerState = iota // for a falling edge
	framing                     // in a character
)

// sampler is how a UART reads a line.
type sampler struct {
	state samplerState
	at    simbus.Time // up to where it has looked at the line
	start moment
	bit   int
	word  uint16
}

func (s *sampler) hunt(at simbus.Time) { *s = sampler{at: at} }

func (s *sampler) skip(r *receiver, to simbus.Time) {}

func (r *receiver) sampled(at simbus.Time) {}

func (r *receiver) plan() {}

func (r *receiver) dueSample() {}
