package chips

import (
	"backplane/periph"
	"backplane/simbus"
)

// All lists every part that ships with Backplane.
var All = periph.Catalog{
	at24c32,
	button,
	ds3231,
	ina219,
	lm75,
	led,
	pca9685,
	pcf8574,
	relay,
	tmp102,
}

// addresses are the 7-bit I2C addresses from first to last.
func addresses(first, last uint8) []uint8 {
	var a []uint8
	for ; first <= last; first++ {
		a = append(a, first)
	}
	return a
}

// pulledUp gives the pin's wire the pull-up resistor that an open-drain output
// needs, and which no board file has to mention.
func pulledUp(p *simbus.Pin) *simbus.Pin {
	p.Wire().NewPin(p.Name + " pull-up").Drive(simbus.PullUp)
	return p
}
