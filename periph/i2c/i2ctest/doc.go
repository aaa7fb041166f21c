// Package i2ctest has what tests of I2C parts need: a [Script] that plays a
// chip (or a controller's view of one) back, a [Recorder] that keeps what went
// over the bus, and [Run], which plays the controller against a target.
//
// All of them write transactions as the event stream does (see [i2c.Format]):
// "W 00 R 19 00" is a write of one byte, then a read of two. A transaction that
// is not acknowledged has "!" at its end.
package i2ctest
