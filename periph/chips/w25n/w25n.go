// Package w25n models the W25N01GV, a NAND flash on SPI.
package w25n

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"backplane/periph"
	"backplane/periph/mtd"
	"backplane/periph/spi"
)

// Model is the part with BUF = 1 (-IG), on one data line each way. Not there: reading on without an end (BUF = 0), the table
// that puts blocks in place of bad ones (A1h, A5h), and all pages for the user that are programmed once, but that of the
// unique identification.
var Model = &periph.Model{
	Name: "w25n01gv", Title: "Winbond W25N01GV 128 MiB NAND flash", Source: "Winbond W25N01GV revision L, 2018",
	On: []*periph.Mount{spi.Select(spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode3}, MaxHz: 104_000_000})},
	Properties: []periph.Spec{
		{Name: propertyPrograms, Kind: periph.Whole, ReadOnly: true, Doc: "page programs since power-on"},
		{Name: propertyErases, Kind: periph.Whole, ReadOnly: true, Doc: "erases of blocks since power-on"},
		{Name: propertyCorrected, Kind: periph.Whole, ReadOnly: true, Doc: "pages read since power-on of which a bit had to be corrected"},
		{Name: propertyLost, Kind: periph.Whole, ReadOnly: true, Doc: "pages read since power-on with more wrong bits than can be corrected"},
		{Name: propertyFlip, Kind: periph.Action, Default: periph.Str("0:0"), Doc: "turn a bit of the cells over: PAGE:BIT, as 64:0 for the first bit of block 1", Valid: func(v periph.Value) error {
			_, _, err := bitOf(v.Text())
			return err
		}},
	},
	Options: []periph.Spec{
		{Name: "file", Kind: periph.Text, Doc: "file of 138412032 bytes, pages of 2112 one after another, that keeps the contents, made if missing; without it they are lost"},
		{Name: "bad_blocks", Kind: periph.Whole, Max: maxBad, Doc: "how many blocks are bad from the factory, by seed, if the contents are new: marked so, and not to be erased"},
		device.Option(),
	},
	Node: func(o *periph.Options) periph.Node {
		return periph.Node{Name: "flash", Compatible: []string{"spi-nand"}, Children: device.Nodes(o)}
	},
	Kernel: []string{"CONFIG_MTD", "CONFIG_MTD_BLOCK", "CONFIG_MTD_SPI_NAND", "CONFIG_MTD_UBI", "CONFIG_MTD_UBI_BLOCK"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{env: env}
		binary.LittleEndian.PutUint64(c.unique[:], env.Rand.Uint64())
		binary.LittleEndian.PutUint64(c.unique[8:], env.Rand.Uint64())
		if file := o.Get("file").Text(); file != "" {
			if err := c.array.open(env.Path(file)); err != nil {
				return nil, err
			}
		}
		if n := o.Get("bad_blocks").Int(); n > 0 && c.array.empty() {
			c.array.spoil(n, env.Rand)
		}
		return c, nil
	},
}

// device is what Linux sees of it: no spare areas.
var device = mtd.Flash{Size: pages * dataSize, Block: blockPages * dataSize}

// Names of properties.
const (
	propertyPrograms  = "programs"
	propertyErases    = "erases"
	propertyCorrected = "corrected"
	propertyLost      = "lost"
	propertyFlip      = "flip"
)

// bitOf is a page and a bit of it.
func bitOf(text string) (number, bit int, err error) {
	first, second, _ := strings.Cut(text, ":")
	number, err = strconv.Atoi(first)
	if err == nil {
		bit, err = strconv.Atoi(second)
	}
	if err != nil || number < 0 || number >= pages || bit < 0 || bit >= 8*pageSize {
		return 0, 0, fmt.Errorf("%q is not a bit: write PAGE:BIT, with a page of 0 to %d and a bit of 0 to %d", text, pages-1, 8*pageSize-1)
	}
	return number, bit, nil
}

// Sizes in bytes, and numbers.
const (
	dataSize   = 2048
	spareSize  = 64
	pageSize   = dataSize + spareSize
	blockPages = 64
	blocks     = 1024
	pages      = blocks * blockPages
	maxBad     = 20
)

// Instructions, in the data sheet's order.
const (
	reset         = 0xff
	jedec         = 0x9f
	readStatus    = 0x0f
	readStatus2   = 0x05
	writeStatus   = 0x1f
	writeStatus2  = 0x01
	writeEnable   = 0x06
	writeDisable  = 0x04
	blockErase    = 0xd8
	load          = 0x02
	randomLoad    = 0x84
	programPage   = 0x10
	pageRead      = 0x13
	readData      = 0x03
	fastRead      = 0x0b
	winbond       = 0xef
	deviceHigh    = 0xaa
	deviceLow     = 0x21
	statusAddress = 0xc0 // of registers: A0h, B0h, C0h
)

// Registers, by their addresses' first digit, and their bits.
const (
	protection = iota
	configuration
	status

	lockDown   = 1 << 0 // SRP1, of the protection register
	lockPin    = 1 << 7 // SRP0
	topBottom  = 1 << 2
	bpShift    = 3
	allBlocks  = 0xf<<bpShift | topBottom
	otpAccess  = 1 << 6 // of the configuration register
	eccEnable  = 1 << 4
	bufferMode = 1 << 3

	busy         = 1 << 0 // of the status register
	wel          = 1 << 1
	eraseFailed  = 1 << 2
	progFailed   = 1 << 3
	eccCorrected = 1 << 4
	eccLost      = 1 << 5
)

// writable are the bits of each register that can be written.
var writable = [3]uint8{0xff, otpAccess | eccEnable, 0}

// Times (AC electrical characteristics): typical ones, and what has only a maximum.
const (
	readTime       = 25 * time.Microsecond  // tRD1, without ECC
	correctTime    = 60 * time.Microsecond  // tRD2, with ECC
	programTime    = 250 * time.Microsecond // tPP
	eraseTime      = 2 * time.Millisecond   // tBE
	powerUpRead    = 50 * time.Microsecond  // tVSL
	powerUpWrite   = 5 * time.Millisecond   // tPUW
	resetTime      = 5 * time.Microsecond   // tRST, at rest and while it reads
	resetProgram   = 10 * time.Microsecond
	resetEraseTime = 500 * time.Microsecond
)

// protected tells whether a block may not be changed: the array's upper part, or the lower one with TB.
func (c *chip) protected(block int) bool {
	bp := int(c.registers[protection] >> bpShift & 0xf)
	n := blocks
	switch {
	case bp == 0:
		return false
	case bp <= 9:
		n = 2 << (bp - 1)
	}
	if c.registers[protection]&topBottom != 0 {
		return block < n
	}
	return block >= blocks-n
}
