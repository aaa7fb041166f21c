package serial

import (
	"fmt"
	"time"

	"backplane/simbus"
)

// rs485 is what a UART does for a half-duplex transceiver: RTS enables its driver while there
// is something to send (Linux Documentation/driver-api/serial/serial-rs485.rst).
type rs485 struct {
	enabled       bool
	onSend        bool // RTS is active while it sends; otherwise inactive then
	rxDuring      bool // it receives meanwhile
	before, after time.Duration
	driving       bool
	timer         *simbus.Timer
}

func (r *rs485) reset() {
	r.timer.Stop()
	*r = rs485{}
}

// setRS485 does what the driver asks for.
func (c *Controller) setRS485(flags, before, after uint32) error {
	if before > maxDelay || after > maxDelay {
		return fmt.Errorf("RS-485 with delays of %d and %d ms: they are at most %d", before, after, maxDelay)
	}
	c.rs485.reset()
	c.hold(heldByRS485, false)
	c.rs485.enabled = flags&rs485Enabled != 0
	c.rs485.onSend, c.rs485.rxDuring = flags&rs485OnSend != 0, flags&rs485RxDuring != 0
	c.rs485.before, c.rs485.after = time.Duration(before)*time.Millisecond, time.Duration(after)*time.Millisecond
	if c.tx.bytes > 0 {
		c.drive()
	}
	c.setDriving(c.rs485.driving)
	return nil
}

// drive enables the transceiver's driver for what is to be sent.
func (c *Controller) drive() {
	r := &c.rs485
	if !r.enabled {
		return
	}
	if r.driving { // still, or already
		if c.tx.held&heldByRS485 == 0 {
			r.timer.Stop()
		}
		return
	}
	if r.before > 0 {
		c.hold(heldByRS485, true)
		r.timer = simbus.After(c.clock, r.before, func() { c.hold(heldByRS485, false) })
	}
	c.setDriving(true)
}

// release disables it when all has been sent.
func (c *Controller) release() {
	r := &c.rs485
	if !r.enabled || !r.driving || c.tx.bytes > 0 || c.port.Busy() {
		return
	}
	c.hold(heldByRS485, false)
	r.timer.Stop()
	if r.after > 0 {
		r.timer = simbus.After(c.clock, r.after, func() { c.setDriving(false) })
		return
	}
	c.setDriving(false)
}

func (c *Controller) setDriving(on bool) {
	c.rs485.driving = on
	c.port.Listen(!c.rs485.enabled || !on || c.rs485.rxDuring)
	c.showOutputs()
}

// transceiver follows RTS, if that is its driver enable.
func (c *Controller) transceiver(rts bool) {
	if c.config.DriverEnable == enabledByRTS {
		c.enableDriver(rts)
	}
}

func (c *Controller) enableDriver(on bool) {
	c.port.SetDriver(on)
	if c.config.Receiver == receiverInverse {
		c.port.SetReceiver(!on)
	}
}
