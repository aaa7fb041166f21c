package chips

import (
	"backplane/periph"
	"backplane/simbus/wire"
)

// All lists every part that ships with Backplane.
var All = []*periph.Model{
	at24c32,
	bme280,
	button,
	ds3231,
	ina219,
	lm75,
	led,
	mcp23017,
	pca9546,
	pca9548,
	pca9685,
	pcf8574,
	relay,
	spiLoopback,
	tmp102,
	w25q128jv,
	w25q64jv,
}

// addresses are the 7-bit I2C addresses from first to last.
func addresses(first, last uint8) []uint8 {
	var a []uint8
	for ; first <= last; first++ {
		a = append(a, first)
	}
	return a
}

// openDrain is what an open-drain output does to its line, with the pull-up to
// the supply that it needs and that no board file has to mention.
func openDrain(powered, low bool) wire.Drive {
	switch {
	case low:
		return wire.DriveLow
	case powered:
		return wire.PullUp
	}
	return wire.Float
}
