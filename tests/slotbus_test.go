package tests

import (
	"testing"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// TestSlotBuses has two cards take turns on a CAN bus and on an RS-485 bus: frames and characters go to who is in the
// slot, and come from it. A third one is in no file.
func TestSlotBuses(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		files := linkFiles(guesttest.Rootfs(t, "/usr/sbin/ip", "candump", "cansend"))
		files["main.toml"] = `name = "bay"
board = [{ name = "x", file = "b.toml" }, { name = "c", file = "b.toml", slot = "bay1" }, { name = "d", file = "b.toml", slot = "bay1", unplugged = true }]
can = [{ name = "bus", ports = ["x.can0", "bay1.can0"] }]
rs485 = [{ name = "field", ports = ["x.uart2", "bay1.uart2"] }]
`
		app := guesttest.Run(t, files, o)
		app.Sh("x", "ip link set can0 up && stty -F /dev/ttyS1 115200 raw -echo")
		for _, card := range []string{"c", "d", "c"} {
			if present := app.MustGet("bus:bay1.can0.state"); present != "stopped" {
				t.Errorf("before %s is up, its port is %s", card, present)
			}
			app.Sh(card, "ip link set can0 up && stty -F /dev/ttyS1 115200 raw -echo")
			frame(t, app, "x", card, "123#01")
			frame(t, app, card, "x", "124#02")
			hears := app.StartCommand(card, "head", "-n1", "/dev/ttyS1")
			opened(app, card, "/dev/ttyS1")
			app.Sh("x", "echo poll > /dev/ttyS1")
			if got := hears.Wait().Stdout; got != "poll\n" {
				t.Errorf("%s hears %q", card, got)
			}
			plugged(t, app, appliance.Unplug, card)
			next := map[string]string{"c": "d", "d": "c"}[card]
			plugged(t, app, appliance.Plug, next)
			untilState(app, next, appliance.StateUp)
		}
		plugged(t, app, appliance.Unplug, "d")
		joins(t, app, "board = [{ name = 'e', file = 'b.toml', slot = 'bay1' }]")
		untilState(app, "e", appliance.StateUp)
		app.Sh("e", "ip link set can0 up")
		frame(t, app, "e", "x", "125#03")
	})
}
