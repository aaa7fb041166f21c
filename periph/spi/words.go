package spi

import "math/bits"

// words are how a transfer's data stand in memory: each word in 1, 2 or 4 bytes, in the
// guest's byte order, which is little-endian.
type words struct {
	bits int // of each, 1 to 32
	lsb  bool
}

// size is how many bytes of memory a word takes.
func (w words) size() int {
	switch {
	case w.bits <= 8:
		return 1
	case w.bits <= 16:
		return 2
	}
	return 4
}

// count is how many words n bytes of memory are.
func (w words) count(n int) int { return n / w.size() }

// plain tells whether the wire has the same bytes as memory.
func (w words) plain() bool { return w.bits == 8 && !w.lsb }

// wireLen is how many bytes n bytes of memory are on the wire.
func (w words) wireLen(n int) int { return (w.count(n)*w.bits + 7) / 8 }

// flip is a word with its bits in the order of the wire, and back.
func (w words) flip(v uint32) uint32 {
	if w.lsb {
		return bits.Reverse32(v) >> (32 - w.bits)
	}
	return v
}

// toWire packs words of memory as they go over the wire. wire must be zero.
func (w words) toWire(wire, mem []byte) {
	size := w.size()
	for i := range w.count(len(mem)) {
		var v uint32
		for j := range size {
			v |= uint32(mem[i*size+j]) << (8 * j)
		}
		v = w.flip(v & (1<<w.bits - 1))
		at := i * w.bits
		for left := w.bits; left > 0; { // from the top, as much as fits into a byte
			n := min(left, 8-at%8)
			part := v >> (left - n) & (1<<n - 1)
			wire[at/8] |= byte(part << (8 - at%8 - n))
			left, at = left-n, at+n
		}
	}
}

// fromWire is the way back.
func (w words) fromWire(mem, wire []byte) {
	size := w.size()
	for i := range w.count(len(mem)) {
		var v uint32
		at := i * w.bits
		for left := w.bits; left > 0; {
			n := min(left, 8-at%8)
			v = v<<n | uint32(wire[at/8])>>(8-at%8-n)&(1<<n-1)
			left, at = left-n, at+n
		}
		v = w.flip(v)
		for j := range size {
			mem[i*size+j] = byte(v >> (8 * j))
		}
	}
}
