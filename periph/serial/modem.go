package serial

import (
	"encoding/binary"
	"fmt"

	"backplane/simbus/serial"
)

// modem is the modem lines, and what goes by them.
type modem struct {
	outputs uint32 // as the driver has set them
	shown   serial.Lines
	changed uint32 // inputs of which the driver does not know yet
	untold  bool
	breaks  bool // the guest holds the line low
	autoCTS bool // sends only while CTS is active
	autoRTS bool // RTS, if active, is not while the FIFO is nearly full
	full    bool // it is
}

// inputBits are inputs as the driver has them.
func inputBits(l serial.Lines) (bits uint32) {
	for _, x := range []struct {
		line serial.Lines
		bit  uint32
	}{{serial.CTS, lineCTS}, {serial.DSR, lineDSR}, {serial.DCD, lineDCD}, {serial.RI, lineRI}} {
		if l&x.line != 0 {
			bits |= x.bit
		}
	}
	return bits
}

// showOutputs lets RTS and DTR be what they are to be. With RS-485, RTS is the transceiver's.
func (c *Controller) showOutputs() {
	var l serial.Lines
	if c.modem.outputs&lineDTR != 0 {
		l |= serial.DTR
	}
	rts := c.modem.outputs&lineRTS != 0 && !c.modem.full
	if c.rs485.enabled {
		rts = c.rs485.driving == c.rs485.onSend
	}
	if rts {
		l |= serial.RTS
	}
	if l != c.modem.shown {
		c.modem.shown = l
		c.port.SetOutputs(l)
		c.toldLines()
	}
	c.driveOutputs()
	c.transceiver(rts)
}

func (c *Controller) toldLines() {
	if c.OnLines != nil {
		c.OnLines(c.modem.shown | c.port.Inputs())
	}
}

// inputs is called when inputs have changed.
func (c *Controller) inputs(now, changed serial.Lines) {
	if c.modem.autoCTS {
		c.hold(heldByCTS, now&serial.CTS == 0)
	}
	// Of the ring indicator a UART notices only the end (16550A, modem status register, TERI).
	c.modem.changed |= inputBits(changed &^ (now & serial.RI))
	c.modem.untold = true
	c.toldLines()
	c.check(c.tellLines())
}

// tellLines tells the driver of inputs.
func (c *Controller) tellLines() error {
	if c.queues == nil || !c.modem.untold {
		return nil
	}
	q := c.queues[queueEvent]
	chain, err := q.Next()
	if chain == nil {
		return err
	}
	if chain.ReadLen() > 0 || chain.WriteLen() < eventSize {
		return fmt.Errorf("event buffer of %d bytes to read and %d to write: must be only to write, and at least %d",
			chain.ReadLen(), chain.WriteLen(), eventSize)
	}
	var b [eventSize]byte
	binary.LittleEndian.PutUint16(b[:], uint16(inputBits(c.port.Inputs())))
	binary.LittleEndian.PutUint16(b[2:], uint16(c.modem.changed))
	c.modem.changed, c.modem.untold = 0, false
	q.Done(chain, chain.CopyIn(0, b[:]))
	q.Notify()
	return nil
}
