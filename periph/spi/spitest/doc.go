// Package spitest has what tests of SPI parts need: a [Script] that plays a chip, a
// [Recorder] that keeps what went over the bus, and [Run], which plays the controller
// against a target.
//
// All of them write a selection, which is what goes over the bus while a chip is
// selected, as the event stream writes its transfers (see [spi.Format]): "W 9f R ef 40 17"
// is a write of one byte, then a read of three, and "X 00 01 = ff 02" is an exchange
// of two.
package spitest
