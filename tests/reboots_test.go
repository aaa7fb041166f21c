package tests

import (
	"fmt"
	"testing"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// TestRebootUnderWay reboots a board again and again while programs read a part on the
// bus and a line: wherever a transfer is at that moment, the board comes up again.
func TestRebootUnderWay(t *testing.T) {
	t.Parallel()
	const board = `
name = "b"
memory = "96M"
[firmware]
rootfs = [%q]
args = "loglevel=4"
[[gpio]]
name = "gpio0"
lines = ["a"]
[[i2c]]
name = "i2c1"
number = 1
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
`
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{
			"main.toml": fmt.Sprintf(board, guesttest.Rootfs(t, "reboot", "sleep", "gpioget")),
		}, o)
		for i := range 8 {
			app.StartCommand("b", "/bin/sh", "-c", "while cat /sys/class/hwmon/hwmon0/temp1_input; do :; done")
			app.StartCommand("b", "/bin/sh", "-c", "while gpioget gpiochip0 0; do :; done")
			app.StartCommand("b", "/bin/sh", "-c", fmt.Sprintf("sleep 0.%06d; reboot -f", 40000+i*137))
			untilState(app, "b", appliance.StateOff)
			untilState(app, "b", appliance.StateUp)
		}
	})
}
