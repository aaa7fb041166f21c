// Package w25q models the W25Q family of NOR flashes on SPI.
package w25q

import (
	"encoding/binary"
	"time"

	"backplane/periph"
	"backplane/periph/mtd"
	"backplane/periph/spi"
)

// part is what makes one flash of the family differ from another.
type part struct {
	size      int   // bytes
	capacity  uint8 // third byte of the JEDEC identification
	device    uint8 // of the older identifications
	chipErase time.Duration
}

// The parts whose QE bit is fixed (-IQ), with which /WP and /HOLD have no function. They
// are modelled on one data line each way. Not there: suspending, the security registers, and
// blocks locked one by one (WPS).
var (
	W25Q64JV  = model("w25q64jv", "Winbond W25Q64JV 8 MiB NOR flash", "Winbond W25Q64JV revision M, 2021", &part{8 << 20, 0x17, 0x16, 20 * time.Second})
	W25Q128JV = model("w25q128jv", "Winbond W25Q128JV 16 MiB NOR flash", "Winbond W25Q128JV revision F, 2018", &part{16 << 20, 0x18, 0x17, 40 * time.Second})
)

func model(name, title, source string, part *part) *periph.Model {
	flash := mtd.Flash{Size: int64(part.size), Block: sectorSize}
	return &periph.Model{
		Name: name, Title: title, Source: source,
		On: []*periph.Mount{spi.Select(spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode3}, MaxHz: maxHz})},
		Properties: []periph.Spec{
			{Name: "programs", Kind: periph.Whole, ReadOnly: true, Doc: "page programs since power-on"},
			{Name: "erases", Kind: periph.Whole, ReadOnly: true, Doc: "erases of sectors, blocks and all since power-on"},
		},
		Options: []periph.Spec{
			{Name: "file", Kind: periph.Text, Doc: "file of the flash's size that keeps the contents, made if missing; without it they are lost"},
			flash.Option(),
		},
		Node: func(o *periph.Options) periph.Node {
			n := periph.Node{Name: "flash", Compatible: []string{"jedec,spi-nor"}, Children: flash.Nodes(o)}
			if o.Get("frequency").Int() > readHz {
				n.Properties = []periph.NodeProperty{{Name: "m25p,fast-read", Value: true}}
			}
			return n
		},
		Kernel: []string{"CONFIG_MTD", "CONFIG_MTD_BLOCK", "CONFIG_MTD_SPI_NOR"},
		New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
			c := &chip{env: env, part: part, array: newArray(part.size), knows: instructions(), kept: [3]uint8{0, qe, drv}}
			binary.LittleEndian.PutUint64(c.unique[:], env.Rand.Uint64())
			if file := o.Get("file").Text(); file != "" {
				return c, c.array.open(env.Path(file))
			}
			return c, nil
		},
	}
}

// Clocks (AC electrical characteristics): of all instructions, and of Read Data (03h).
const (
	maxHz  = 133_000_000
	readHz = 50_000_000
)

// Sizes.
const (
	pageSize   = 256
	sectorSize = 4 << 10
	halfSize   = 32 << 10
	blockSize  = 64 << 10
)

// Instructions (section 8.1.2), in the data sheet's order.
const (
	writeEnable         = 0x06
	volatileWriteEnable = 0x50
	writeDisable        = 0x04
	releasePowerDown    = 0xab
	manufacturer        = 0x90
	jedec               = 0x9f
	uniqueID            = 0x4b
	readData            = 0x03
	fastRead            = 0x0b
	pageProgram         = 0x02
	sectorErase         = 0x20
	halfErase           = 0x52
	blockErase          = 0xd8
	chipErase           = 0xc7
	chipErase2          = 0x60
	readStatus1         = 0x05
	writeStatus1        = 0x01
	readStatus2         = 0x35
	writeStatus2        = 0x31
	readStatus3         = 0x15
	writeStatus3        = 0x11
	readSFDP            = 0x5a
	powerDown           = 0xb9
	enableReset         = 0x66
	reset               = 0x99

	winbond = 0xef // manufacturer
	quadSPI = 0x40 // memory type
)

// Bits of the status registers (section 7.1).
const (
	busy       = 1 << 0
	wel        = 1 << 1
	bpShift    = 2
	tb         = 1 << 5
	sec        = 1 << 6
	srl        = 1 << 0 // of register 2
	qe         = 1 << 1
	lb         = 7 << 3
	complement = 1 << 6
	drv        = 3 << 5 // of register 3
)

// writable are the bits of each status register that can be written.
var writable = [3]uint8{0xfc, srl | lb | complement, drv}

// Times (AC electrical characteristics): typical ones, and what has only a maximum.
const (
	firstByte    = 30 * time.Microsecond // tBP1
	nextByte     = 2500 * time.Nanosecond
	programTime  = 400 * time.Microsecond // tPP, of a page
	sectorTime   = 45 * time.Millisecond
	halfTime     = 120 * time.Millisecond
	blockTime    = 150 * time.Millisecond
	statusTime   = 10 * time.Millisecond
	powerUpRead  = 20 * time.Microsecond // tVSL
	powerUpWrite = 5 * time.Millisecond  // tPUW
	resetTime    = 30 * time.Microsecond
	releaseTime  = 3 * time.Microsecond // tRES1
)

// protected tells whether any of the n bytes from an address on is protected (section 7.1.10).
func (c *chip) protected(from, n int) bool {
	bp := c.status[0] >> bpShift & 7
	size := 0
	switch {
	case bp == 0:
	case bp == 7:
		size = c.part.size
	case c.status[0]&sec != 0:
		size = min(sectorSize<<(bp-1), halfSize)
	default:
		size = c.part.size / 64 << (bp - 1)
	}
	low, high := c.part.size-size, c.part.size
	if c.status[0]&tb != 0 {
		low, high = 0, size
	}
	inside := from >= low && from+n <= high
	touched := from < high && from+n > low
	if c.status[1]&complement != 0 { // the complement is protected
		return !inside
	}
	return touched
}

// sfdp is the table that Read SFDP gives (JEDEC JESD216A: header, one parameter header, and
// 16 words at 80h). It tells of what the model has.
func (p *part) sfdp() [pageSize]byte {
	b := [pageSize]byte{'S', 'F', 'D', 'P', 5, 1, 0, 0xff, 0, 5, 1, 16, 0x80, 0, 0, 0xff}
	for i := 16; i < len(b); i++ {
		b[i] = 0xff
	}
	chip := uint32(p.chipErase/(4*time.Second)) - 1
	for i, v := range [16]uint32{
		0xff8020e5,                               // sectors of 4 KiB by 20h, pages of 64 bytes or more, 3 bytes of address, one line
		uint32(8*p.size - 1),                     // bits
		0, 0, 0xffffffee, 0xff00ffff, 0xff00ffff, // no reads on several lines
		0x520f200c, 0x0000d810, // erases of 4, 32 and 64 KiB
		4 | 0x22<<4 | 0x27<<11 | 0x29<<18,                               // which take 48, 128 and 160 ms, and ten times as much at most
		2 | 8<<4 | 0x25<<8 | 0x13<<14 | 2<<19 | (2<<5|chip)<<24 | 1<<31, // pages of 256 bytes in 384 us, bytes in 32 and 3, all in 4 s units
		0xffffffff, 0xffffffff, // no suspending
		powerDown<<23 | releasePowerDown<<15 | 0x22<<8 | 7, // 3 us; busy is bit 0 of register 1
		0xff600000,          // QE is bit 1 of register 2
		1<<12 | 1<<7 | 1<<3, // reset by 66h and 99h; status registers have a volatile copy
	} {
		binary.LittleEndian.PutUint32(b[0x80+4*i:], v)
	}
	return b
}
