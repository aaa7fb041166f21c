// Package i2c is the I2C bus: the virtio-i2c controller that the guest sees
// (virtio 1.2 section 5.16; Linux drivers/i2c/busses/i2c-virtio.c), and
// [Target], what hangs on it.
package i2c

import "errors"

// ErrNoAck is what a target returns when it does not acknowledge: an address
// nobody has, a byte that it refuses (a write-protected or busy EEPROM).
var ErrNoAck = errors.New("no acknowledge")

// Msg is one message of a transaction: the bytes between a START and the next
// START or the STOP.
type Msg struct {
	Read bool
	// Data is what the controller writes, or where the target puts what the
	// controller reads. It is the target's only until Transfer returns.
	Data []byte
}

// Target is a chip on the bus. Transfer is given the messages of one whole
// transaction, START to STOP, with repeated STARTs between them, all for this
// target's address; it fills in the reads. A zero-length write is a probe
// (SMBus Quick). A target that does not acknowledge returns ErrNoAck.
type Target interface {
	Transfer(msgs []Msg) error
}
