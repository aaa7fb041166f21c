package serial

import "backplane/simbus/serial"

// maxDivisor is the highest number that a clock is divided by, beside 16.
const maxDivisor = 1<<16 - 1

// standard are the rates that the kernel has a name for (drivers/tty/tty_baudrate.c), up to
// the highest of a port with a clock.
var standard = []int{50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800,
	500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000}

// rates are the lowest and the highest rate that the port can be set to.
func (c *Config) rates() (low, high int) {
	if c.Clock == 0 {
		return 1, maxBaud
	}
	low, high = c.Clock/16/maxDivisor+1, c.Clock/16
	for _, s := range standard {
		// The kernel takes a rate for a standard one that differs by 2 %: it would set what is
		// just below the highest one to what is above, and find no rate at all.
		if below := high - 1; s > high && s <= below+below/50 {
			return low, s
		}
	}
	return low, high
}

// rate is what the port has when it is set to a rate.
func (c *Config) rate(baud uint32) serial.Rate {
	if c.Clock == 0 {
		return serial.Baud(int(baud))
	}
	clock := int64(c.Clock)
	divisor := int64(1)
	if baud > 0 {
		divisor = (clock + 8*int64(baud)) / (16 * int64(baud))
	}
	return serial.Divided(clock, min(max(1, divisor), maxDivisor))
}
