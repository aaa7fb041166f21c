package w25n

import (
	"encoding/binary"
	"math/bits"
)

// A page has four sectors, each of 512 bytes and 16 of the spare area: of those 2 that nothing corrects, 4 that are corrected with
// the data, and 8 for the code. With it one wrong bit of a sector is corrected and two are seen. The data sheet does not say how it is
// made; this is a Hamming code of the bits that are 0 with a parity bit, so that the code of what is erased is erased.
const (
	sectors    = 4
	sectorData = dataSize / sectors
	partSize   = spareSize / sectors
	userAt     = 4 // in a part of the spare area
	codeAt     = 8
	protectedN = sectorData + codeAt - userAt // bytes
)

// places are numbers of the bits that the code protects: none has a single bit set.
var places = func() (list [8 * protectedN]uint16) {
	next := uint16(2)
	for i := range list {
		for next++; bits.OnesCount16(next) == 1; next++ {
		}
		list[i] = next
	}
	return list
}()

// placeBits is how many bits a place has, and parityBit the code's last one.
const (
	placeBits = 13
	parityBit = 1 << placeBits
)

// part is where a sector's part of the spare area begins.
func part(sector int) int { return dataSize + sector*partSize }

// protectedByte is the i-th byte that a sector's code protects.
func (p *page) protectedByte(sector, i int) *byte {
	if i < sectorData {
		return &p[sector*sectorData+i]
	}
	return &p[part(sector)+userAt+i-sectorData]
}

// code is that of a sector's bits.
func (p *page) code(sector int) uint16 {
	code, zeros := uint16(0), 0
	for i := range protectedN {
		for v := ^*p.protectedByte(sector, i); v != 0; v &= v - 1 {
			code ^= places[8*i+bits.TrailingZeros8(v)]
			zeros++
		}
	}
	if (zeros+bits.OnesCount16(code))%2 == 1 {
		code |= parityBit
	}
	return code
}

// encode writes the codes of a page into it.
func (p *page) encode() {
	for s := range sectors {
		spare := p[part(s)+codeAt : part(s)+partSize]
		for i := range spare {
			spare[i] = 0xff
		}
		binary.LittleEndian.PutUint16(spare, ^p.code(s))
	}
}

// correct corrects what is wrong in a page, and returns the bits of the status register that say so. The sectors of one that is
// lost are corrected where they can be.
func (p *page) correct() uint8 {
	if *p == erased {
		return 0
	}
	var results uint8
	for s := range sectors {
		results |= p.correctSector(s)
	}
	if results&eccLost != 0 {
		return eccLost
	}
	return results
}

func (p *page) correctSector(s int) uint8 {
	stored := ^binary.LittleEndian.Uint16(p[part(s)+codeAt:])
	code := p.code(s)
	wrong := (code ^ stored) & (parityBit - 1)
	// The parity bit makes all ones of the data, the code and itself even.
	odd := bits.OnesCount16(wrong)%2 == 1 != ((code^stored)&parityBit != 0)
	switch {
	case wrong == 0 && !odd:
		return 0
	case !odd:
		return eccLost
	case bits.OnesCount16(wrong) > 1: // of what the code protects
		i, known := placeOf(wrong)
		if !known {
			return eccLost
		}
		*p.protectedByte(s, i/8) ^= 1 << (i % 8)
	}
	return eccCorrected
}

// placeOf is which bit has a place.
func placeOf(place uint16) (i int, known bool) {
	i = int(place) - 1 - bits.Len16(place) // places without those that have a single bit set
	return i, i >= 0 && i < len(places) && places[i] == place
}
