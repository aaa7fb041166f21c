package image

import (
	"encoding/binary"
	"math/bits"
)

// bitmap tells which blocks an overlay has, and which of its own pages differ from the file's.
type bitmap struct {
	words []uint64
	dirty map[int64]bool // pages of BlockSize bytes
}

const (
	wordBits = 64
	pageBits = BlockSize * 8
)

func newBitmap(blocks int64) *bitmap {
	pages := (blocks + pageBits - 1) / pageBits
	return &bitmap{words: make([]uint64, pages*pageBits/wordBits), dirty: make(map[int64]bool)}
}

func (b *bitmap) has(i int64) bool { return b.words[i/wordBits]>>(i%wordBits)&1 != 0 }

// run is how many blocks from i on, up to end, are like block i.
func (b *bitmap) run(i, end int64) (n int64, has bool) {
	has = b.has(i)
	for at := i; at < end; {
		w := b.words[at/wordBits]
		if !has {
			w = ^w
		}
		left := wordBits - at%wordBits
		same := min(int64(bits.TrailingZeros64(^(w >> (at % wordBits)))), left)
		if at += same; same < left {
			return min(at, end) - i, has
		}
	}
	return end - i, has
}

// set marks n blocks from i on as there, or not.
func (b *bitmap) set(i, n int64, has bool) {
	for end := i + n; i < end; {
		w, shift := i/wordBits, i%wordBits
		span := min(wordBits-shift, end-i)
		mask := ^uint64(0) >> (wordBits - span) << shift
		old := b.words[w]
		if has {
			b.words[w] |= mask
		} else {
			b.words[w] &^= mask
		}
		if b.words[w] != old {
			b.dirty[i/pageBits] = true
		}
		i += span
	}
}

// count is how many blocks there are.
func (b *bitmap) count() (n int64) {
	for _, w := range b.words {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// last is the last block that there is, -1 if there is none.
func (b *bitmap) last() int64 {
	for i := len(b.words) - 1; i >= 0; i-- {
		if w := b.words[i]; w != 0 {
			return int64(i)*wordBits + int64(bits.Len64(w)) - 1
		}
	}
	return -1
}

// page is one as the file has it.
func (b *bitmap) page(i int64) []byte {
	p := make([]byte, 0, BlockSize)
	for _, w := range b.words[i*pageBits/wordBits : (i+1)*pageBits/wordBits] {
		p = binary.LittleEndian.AppendUint64(p, w)
	}
	return p
}

// read takes all that the file has.
func (b *bitmap) read(f file) error {
	p := make([]byte, min(len(b.words)*8, 1<<20))
	for i := 0; i < len(b.words); i += len(p) / 8 {
		p = p[:min(len(p), (len(b.words)-i)*8)]
		if err := f.readv([][]byte{p}, bitmapStart+int64(i)*8); err != nil {
			return err
		}
		for j := range len(p) / 8 {
			b.words[i+j] = binary.LittleEndian.Uint64(p[j*8:])
		}
	}
	return nil
}
