// Package spi is the SPI bus: the virtio-spi controller that the guest sees
// (virtio 1.4 draft, section "SPI Controller Device"; Linux
// drivers/spi/spi-virtio.c), the [Bus] behind it, and [Target], what hangs on it.
//
// Words: a chip select is the line that tells a chip that it is meant; a
// selection is the time in which that line is active, with one or more transfers
// in it; a word is what a transfer is made of, 1 to 32 bits.
package spi

import "fmt"

// Target is a chip on the bus.
type Target interface {
	// Select tells that the chip select has become active.
	Select()
	// Exchange is so many clocks, one bit each way with each. The bits are packed
	// as they go over the wire, the first one uppermost: a chip that reads bytes
	// finds them, whatever words the transfer is made of. The last byte may be cut
	// short: then len(tx) is (bits+7)/8. rx is as long as tx, and all ones, which is
	// what a controller reads where no chip drives its line. Both are the target's
	// only until Exchange returns.
	Exchange(tx, rx []byte, bits int)
	// Deselect tells that the chip select has been released.
	Deselect()
}

// Mode is how clock, chip select and data go together, as struct spi_transfer_head
// of the specification has it.
type Mode uint8

// Bits of a mode.
const (
	CPHA     Mode = 1 << iota // data are sampled at the second edge of each clock
	CPOL                      // the clock idles high
	CSHigh                    // the chip select is active high
	LSBFirst                  // words go over the wire with their lowest bit first
	Loop                      // the controller reads what it writes, and no chip is meant
)

// The modes as data sheets number them.
const (
	Mode0 Mode = 0
	Mode1      = CPHA
	Mode2      = CPOL
	Mode3      = CPOL | CPHA
)

// line is what of the mode a chip's pins see: it does not know where words end.
func (m Mode) line() Mode { return m & (CPHA | CPOL | CSHigh) }

// String is the number, and what there is beside it: "0", "3 lsb-first".
func (m Mode) String() string {
	text := fmt.Sprint(uint8(m & Mode3))
	for _, bit := range []struct {
		mode Mode
		name string
	}{{CSHigh, " cs-high"}, {LSBFirst, " lsb-first"}, {Loop, " loop"}} {
		if m&bit.mode != 0 {
			text += bit.name
		}
	}
	return text
}
