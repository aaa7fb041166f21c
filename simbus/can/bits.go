package can

// Lengths of what comes after the CRC sequence, in bits (ISO 11898-1:2015 clause 10.4.2).
const (
	crcDelimiter   = 1
	ackSlot        = 1
	ackDelimiter   = 1
	endOfFrame     = 7
	intermission   = 3
	flagBits       = 6 // of an error flag
	errorDelimiter = 8
	suspended      = 8  // an error-passive transmitter waits so long after intermission
	quietBits      = 11 // recessive bits after which a node may take part
	recoverySpells = 128
)

// stuffLimit is after how many equal bits a stuff bit comes.
const stuffLimit = 5

// bits are a frame's bits on the wire, from the start of frame to the end of the CRC
// sequence. Of an FD frame's CRC field only the length is known: its stuff bits are in fixed
// places, so that its value does not matter to how long it takes.
type bits struct {
	level []byte // 0 is dominant, stuff bits included
	arbitration,
	stuffed, // up to where stuff bits depend on the bits before
	total int // up to the end of the CRC sequence; level has stuffed of them
	fast int // the first bit of the data phase, if that has a bit rate of its own; else -1

	run int // the last bits that are equal
	crc uint32
	sum bool // bits go into crc
}

// put appends the lowest n bits of v, the uppermost first.
func (b *bits) put(v uint32, n int) {
	for n--; n >= 0; n-- {
		b.bit(byte(v >> n & 1))
	}
}

func (b *bits) bit(v byte) {
	if b.sum {
		b.crc15(v)
	}
	if b.run == stuffLimit { // it was left open whether a bit follows
		b.append(1 - b.level[len(b.level)-1])
	}
	b.append(v)
}

func (b *bits) append(v byte) {
	if n := len(b.level); n > 0 && b.level[n-1] == v {
		b.run++
	} else {
		b.run = 1
	}
	b.level = append(b.level, v)
}

// close ends the part whose stuff bits depend on the bits before.
func (b *bits) close() {
	if b.run == stuffLimit {
		b.append(1 - b.level[len(b.level)-1])
	}
	b.stuffed = len(b.level)
}

// crcPolynomial is that of classic frames: x^15+x^14+x^10+x^8+x^7+x^4+x^3+1.
const crcPolynomial = 0x4599

func (b *bits) crc15(v byte) {
	next := uint32(v) ^ b.crc>>14&1
	b.crc = b.crc << 1 & 0x7fff
	if next == 1 {
		b.crc ^= crcPolynomial
	}
}

// Lengths of an FD frame's CRC field, in bits: the stuff count with its parity, the CRC
// sequence of 17 or 21 bits, and a fixed stuff bit before each four of those.
const (
	crcField17 = 4 + 17 + 6
	crcField21 = 4 + 21 + 7
	longest17  = 16 // bytes, with the shorter sequence
)

// encode makes the frame's bits.
func (b *bits) encode(f *Frame) {
	*b = bits{level: b.level[:0], fast: -1, sum: !f.FD}
	b.put(0, 1) // start of frame
	remote := one(f.Remote)
	if f.Extended {
		b.put(f.ID>>18, 11)
		b.put(3, 2) // SRR, IDE
		b.put(f.ID, 18)
		b.put(remote, 1)
		b.arbitration = len(b.level)
		b.put(one(f.FD), 1)
	} else {
		b.put(f.ID, 11)
		b.put(remote, 1)
		b.put(0, 1) // IDE
		b.arbitration = len(b.level)
		b.put(one(f.FD), 1)
	}
	if f.FD || f.Extended {
		b.put(0, 1) // res of FD, r0 of an extended classic frame
	}
	if f.FD {
		b.put(one(f.Switch), 1)
		if f.Switch {
			b.fast = len(b.level)
		}
		b.put(one(f.Passive), 1)
	}
	b.put(uint32(f.DLC()), 4)
	for _, v := range f.Payload() {
		b.put(uint32(v), 8)
	}
	switch {
	case !f.FD:
		b.sum = false
		b.put(b.crc, 15)
		b.close()
		b.total = b.stuffed
	case f.Length <= longest17:
		b.stuffed = len(b.level) // the CRC field begins with a fixed stuff bit in any case
		b.total = b.stuffed + crcField17
	default:
		b.stuffed = len(b.level)
		b.total = b.stuffed + crcField21
	}
}

func one(set bool) uint32 {
	if set {
		return 1
	}
	return 0
}

// equal is how many equal bits of that level end with the one before index i.
func (b *bits) equal(i int, level byte) (n int) {
	for i--; i >= 0 && b.level[i] == level; i-- {
		n++
	}
	return n
}

// split is how many of the first n bits have the nominal bit rate and how many that of the
// data phase. That begins at the sample point of BRS and ends at that of the CRC delimiter:
// what both of these lack of one rate they have of the other, so BRS counts as a nominal
// bit, and the delimiter as one of data.
func (b *bits) split(n int) (nominal, data int) {
	if b.fast < 0 || n <= b.fast {
		return n, 0
	}
	data = min(n, b.total+crcDelimiter) - b.fast
	return n - data, data
}
