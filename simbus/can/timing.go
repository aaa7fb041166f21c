package can

import (
	"errors"
	"fmt"
	"time"
)

// Limits of bit rates, in bits a second: of what transceivers are made for.
const (
	MinBitrate     = 5_000
	MaxBitrate     = 1_000_000
	MaxDataBitrate = 8_000_000
)

// Timing are the bit rates of a bus, in bits a second.
type Timing struct {
	Bitrate int
	// DataBitrate is that of the data phase of CAN FD frames. 0: there are none.
	DataBitrate int
}

// ErrTiming is that a node's bit rates are not those of the bus.
var ErrTiming = errors.New("other bit rates than the bus")

// String is "500000 bit/s", or "500000 and 2000000 bit/s".
func (t Timing) String() string {
	if t.DataBitrate == 0 {
		return fmt.Sprintf("%d bit/s", t.Bitrate)
	}
	return fmt.Sprintf("%d and %d bit/s", t.Bitrate, t.DataBitrate)
}

// duration is how long so many bits take.
func (t Timing) duration(nominal, data int) time.Duration {
	d := int64(nominal) * int64(time.Second) / int64(t.Bitrate)
	if data > 0 {
		d += int64(data) * int64(time.Second) / int64(t.DataBitrate)
	}
	return time.Duration(d)
}

// sample is how far into a bit its level is sampled: CiA 601, and what Linux takes where
// nobody says anything else (drivers/net/can/dev/calc_bittiming.c).
func (t Timing) sample() time.Duration {
	per := int64(875)
	switch {
	case t.Bitrate > 800_000:
		per = 750
	case t.Bitrate > 500_000:
		per = 800
	}
	return time.Duration(per * int64(time.Second) / 1000 / int64(t.Bitrate))
}

// Duration is how long a frame takes on the bus, from the start of frame to the end of its
// end of frame. At least three bits of intermission follow.
func (t Timing) Duration(f *Frame) time.Duration {
	var b bits
	b.encode(f)
	return t.duration(b.split(b.total + crcDelimiter + ackSlot + ackDelimiter + endOfFrame))
}

// Intermission is how long the bus has to rest between two frames.
func (t Timing) Intermission() time.Duration { return t.duration(intermission, 0) }
