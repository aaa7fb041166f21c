package serial_test

import (
	"encoding/binary"
	"testing"

	"backplane/periph/serial"
)

// opened is the rate that the kernel sets when it opens a port at 9600 baud, worked out as
// uart_get_baud_rate does (drivers/tty/serial/serial_core.c); 0 if it finds none.
func opened(low, high int) int {
	baud := 9600
	for range 2 {
		if baud >= low && baud <= high {
			return baud
		}
		if baud = high - 1; baud < low {
			baud = low + 1
		}
		for _, s := range []int{50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19_200} {
			if baud-baud/50 <= s && s <= baud+baud/50 { // tty_termios_encode_baud_rate
				baud = s
				break
			}
		}
	}
	return 0
}

// TestSlowClock: the kernel finds a rate for each port whose clock does not give 9600 baud.
// Without one it divides by zero.
func TestSlowClock(t *testing.T) {
	_, d := domain(t)
	for clock := 800; clock < 200_000; clock += 13 {
		c := serial.Kind.Config().(*serial.Config)
		c.Clock, c.Baud = clock, 50
		config := serial.NewController("u", d, c).Config()
		low, high := int(binary.LittleEndian.Uint32(config[4:])), int(binary.LittleEndian.Uint32(config[8:]))
		if opened(low, high) == 0 {
			t.Errorf("a clock of %d Hz: no rate between %d and %d baud", clock, low, high)
		}
		if real := clock / 16; high < real || high > real+real/49+1 {
			t.Errorf("a clock of %d Hz gives %d baud, and the port says %d", clock, real, high)
		}
	}
}
