package chips

import (
	"encoding/binary"
	"time"

	"backplane/periph"
	"backplane/periph/spi"
)

// w25qPart is what makes one flash of the family differ from another.
type w25qPart struct {
	size      int   // bytes
	capacity  uint8 // third byte of the JEDEC identification
	device    uint8 // of the older identifications
	chipErase time.Duration
}

// The parts whose QE bit is fixed (-IQ), with which /WP and /HOLD have no function. They
// are modelled on one data line each way. Not there: suspending, the security registers, and
// blocks locked one by one (WPS).
var (
	w25q64jv  = w25qModel("w25q64jv", "Winbond W25Q64JV 8 MiB NOR flash", "Winbond W25Q64JV revision M, 2021", &w25qPart{8 << 20, 0x17, 0x16, 20 * time.Second})
	w25q128jv = w25qModel("w25q128jv", "Winbond W25Q128JV 16 MiB NOR flash", "Winbond W25Q128JV revision F, 2018", &w25qPart{16 << 20, 0x18, 0x17, 40 * time.Second})
)

func w25qModel(name, title, source string, part *w25qPart) *periph.Model {
	return &periph.Model{
		Name: name, Title: title, Source: source,
		On: []*periph.Mount{spi.Select(spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode3}, MaxHz: w25qMaxHz})},
		Properties: []periph.Spec{
			{Name: "programs", Kind: periph.Whole, ReadOnly: true, Doc: "page programs since power-on"},
			{Name: "erases", Kind: periph.Whole, ReadOnly: true, Doc: "erases of sectors, blocks and all since power-on"},
		},
		Options: []periph.Spec{
			{Name: "file", Kind: periph.Text, Doc: "file of the flash's size that keeps the contents, made if missing; without it they are lost"},
		},
		Node: func(o *periph.Options) periph.Node {
			n := periph.Node{Name: "flash", Compatible: []string{"jedec,spi-nor"}}
			if o.Get("frequency").Int() > w25qReadHz {
				n.Properties = []periph.NodeProperty{{Name: "m25p,fast-read", Value: true}}
			}
			return n
		},
		Kernel: []string{"CONFIG_MTD", "CONFIG_MTD_BLOCK", "CONFIG_MTD_SPI_NOR"},
		New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
			c := &w25qChip{env: env, part: part, array: newW25QArray(part.size), knows: w25qInstructions(), kept: [3]uint8{0, w25qQE, w25qDRV}}
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
	w25qMaxHz  = 133_000_000
	w25qReadHz = 50_000_000
)

// Sizes.
const (
	w25qPage   = 256
	w25qSector = 4 << 10
	w25qHalf   = 32 << 10
	w25qBlock  = 64 << 10
)

// Instructions (section 8.1.2), in the data sheet's order.
const (
	w25qWriteEnable         = 0x06
	w25qVolatileWriteEnable = 0x50
	w25qWriteDisable        = 0x04
	w25qReleasePowerDown    = 0xab
	w25qManufacturer        = 0x90
	w25qJEDEC               = 0x9f
	w25qUniqueID            = 0x4b
	w25qReadData            = 0x03
	w25qFastRead            = 0x0b
	w25qPageProgram         = 0x02
	w25qSectorErase         = 0x20
	w25qHalfErase           = 0x52
	w25qBlockErase          = 0xd8
	w25qChipErase           = 0xc7
	w25qChipErase2          = 0x60
	w25qReadStatus1         = 0x05
	w25qWriteStatus1        = 0x01
	w25qReadStatus2         = 0x35
	w25qWriteStatus2        = 0x31
	w25qReadStatus3         = 0x15
	w25qWriteStatus3        = 0x11
	w25qReadSFDP            = 0x5a
	w25qPowerDown           = 0xb9
	w25qEnableReset         = 0x66
	w25qReset               = 0x99

	w25qWinbond = 0xef // manufacturer
	w25qQuadSPI = 0x40 // memory type
)

// Bits of the status registers (section 7.1).
const (
	w25qBusy    = 1 << 0
	w25qWEL     = 1 << 1
	w25qBPShift = 2
	w25qTB      = 1 << 5
	w25qSEC     = 1 << 6
	w25qSRL     = 1 << 0 // of register 2
	w25qQE      = 1 << 1
	w25qLB      = 7 << 3
	w25qCMP     = 1 << 6
	w25qDRV     = 3 << 5 // of register 3
)

// w25qWritable are the bits of each status register that can be written.
var w25qWritable = [3]uint8{0xfc, w25qSRL | w25qLB | w25qCMP, w25qDRV}

// Times (AC electrical characteristics): typical ones, and what has only a maximum.
const (
	w25qFirstByte    = 30 * time.Microsecond // tBP1
	w25qNextByte     = 2500 * time.Nanosecond
	w25qProgramTime  = 400 * time.Microsecond // tPP, of a page
	w25qSectorTime   = 45 * time.Millisecond
	w25qHalfTime     = 120 * time.Millisecond
	w25qBlockTime    = 150 * time.Millisecond
	w25qStatusTime   = 10 * time.Millisecond
	w25qPowerUpRead  = 20 * time.Microsecond // tVSL
	w25qPowerUpWrite = 5 * time.Millisecond  // tPUW
	w25qResetTime    = 30 * time.Microsecond
	w25qReleaseTime  = 3 * time.Microsecond // tRES1
)

// protected tells whether any of the n bytes from an address on is protected (section 7.1.10).
func (c *w25qChip) protected(from, n int) bool {
	bp := c.status[0] >> w25qBPShift & 7
	size := 0
	switch {
	case bp == 0:
	case bp == 7:
		size = c.part.size
	case c.status[0]&w25qSEC != 0:
		size = min(w25qSector<<(bp-1), w25qHalf)
	default:
		size = c.part.size / 64 << (bp - 1)
	}
	low, high := c.part.size-size, c.part.size
	if c.status[0]&w25qTB != 0 {
		low, high = 0, size
	}
	inside := from >= low && from+n <= high
	touched := from < high && from+n > low
	if c.status[1]&w25qCMP != 0 { // the complement is protected
		return !inside
	}
	return touched
}

// sfdp is the table that Read SFDP gives (JEDEC JESD216A: header, one parameter header, and
// 16 words at 80h). It tells of what the model has.
func (p *w25qPart) sfdp() [w25qPage]byte {
	b := [w25qPage]byte{'S', 'F', 'D', 'P', 5, 1, 0, 0xff, 0, 5, 1, 16, 0x80, 0, 0, 0xff}
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
		w25qPowerDown<<23 | w25qReleasePowerDown<<15 | 0x22<<8 | 7, // 3 us; busy is bit 0 of register 1
		0xff600000,          // QE is bit 1 of register 2
		1<<12 | 1<<7 | 1<<3, // reset by 66h and 99h; status registers have a volatile copy
	} {
		binary.LittleEndian.PutUint32(b[0x80+4*i:], v)
	}
	return b
}
