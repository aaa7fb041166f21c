package regmap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// field is where a property stands in its register, and what a count means.
type field struct {
	register int // index in the map
	shift    int
	bits     int
	signed   bool
	scale    float64
	offset   float64
}

// parseBits reads "11:4" or "7", the highest and the lowest bit of a field in a
// register of that width. Empty text is the whole register.
func parseBits(text string, width int) (shift, bits int, err error) {
	if text == "" {
		return 0, width, nil
	}
	high, low, ranged := strings.Cut(text, ":")
	if !ranged {
		low = high
	}
	h, err1 := strconv.ParseUint(high, 10, 8)
	l, err2 := strconv.ParseUint(low, 10, 8)
	switch {
	case err1 != nil || err2 != nil:
		return 0, 0, fmt.Errorf("%q are not bits: write the highest and the lowest, such as \"11:4\", or one", text)
	case h < l:
		return 0, 0, fmt.Errorf("bits %q are the wrong way round: write \"%d:%d\"", text, l, h)
	case int(h) >= width:
		return 0, 0, fmt.Errorf("bit %d is outside a register of %d bits: the highest is %d", h, width, width-1)
	}
	return int(l), int(h-l) + 1, nil
}

func (f *field) mask() uint32 { return uint32(1<<f.bits-1) << f.shift }

// value is what the field says in a register of that content.
func (f *field) value(content uint32) float64 {
	raw := int64(content & f.mask() >> f.shift)
	if f.signed && raw>>(f.bits-1) != 0 {
		raw -= 1 << f.bits
	}
	return float64(raw)*f.scale + f.offset
}

// put changes the content so that the field says the value, or the nearest that it can.
func (f *field) put(content uint32, value float64) uint32 {
	low, high := f.counts()
	raw := int64(math.Round(max(low, min((value-f.offset)/f.scale, high))))
	return content&^f.mask() | uint32(raw)<<f.shift&f.mask()
}

// counts are the least and the greatest raw value.
func (f *field) counts() (low, high float64) {
	if f.signed {
		half := float64(int64(1) << (f.bits - 1))
		return -half, half - 1
	}
	return 0, float64(int64(1)<<f.bits - 1)
}

// limits are the least and the greatest value.
func (f *field) limits() (low, high float64) {
	low, high = f.counts()
	low, high = low*f.scale+f.offset, high*f.scale+f.offset
	return min(low, high), max(low, high)
}

// whole tells whether every value is a whole number.
func (f *field) whole() bool {
	return f.scale == math.Trunc(f.scale) && f.offset == math.Trunc(f.offset)
}
