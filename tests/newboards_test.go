package tests

import (
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestPlugBoards plugs whole boards into an appliance that runs: one is on its network and hears a serial line, and
// another shares the time of one that is there. One is taken out, and comes back with the disk that it had.
func TestPlugBoards(t *testing.T) {
	t.Parallel()
	clocks(t, func(t *testing.T, o guesttest.Options) {
		files := linkFiles(guesttest.Rootfs(t))
		files["disk.toml"] = strings.Replace(files["b.toml"], "[[ethernet]]", "[[disk]]\nname = \"disk0\"\nsize = \"8M\"\nkeep = \"kept.bpd\"\n[[ethernet]]", 1)
		app := guesttest.Run(t, files, o)
		joins(t, app, `
[[board]]
name = "late"
file = "disk.toml"
[[board.ethernet]]
name = "eth0"
address = "10.0.0.4/24"
[[board]]
name = "twin"
file = "b.toml"
lockstep = true
[[segment]]
name = "lan"
ports = ["x.eth0", "late.eth0"]
latency = "100us"
[[serial]]
name = "line"
ports = ["late.uart1", "y.uart1"]
[[wire]]
name = "alarm"
from = "twin.gpio0.out"
to = "x.gpio0.in"
delay = "0s"
`)
		left := map[string]bool{"late": true, "twin": true}
		app.Until(time.Minute, "both new boards are up", func(e *simbus.Event) bool {
			if state, _ := e.Get("state"); e.Kind == appliance.KindGuest && state == appliance.StateUp {
				delete(left, e.Board)
			}
			return len(left) == 0
		})
		app.Sh("x", "ping -c 3 -W 5 10.0.0.4")
		for _, b := range []string{"late", "y"} {
			app.Sh(b, "stty -F /dev/ttyS0 115200 raw -echo")
		}
		hears := app.StartCommand("y", "head", "-n1", "/dev/ttyS0")
		opened(app, "y", "/dev/ttyS0")
		app.Sh("late", "echo hello > /dev/ttyS0")
		if got := hears.Wait().Stdout; got != "hello\n" {
			t.Errorf("y hears %q", got)
		}
		app.MustSet("twin.gpio0.out", "1")
		if got, _, err := app.Running.Get("x.gpio0.in"); err != nil || got != "1" {
			t.Errorf("the line of x is %s, %v", got, err)
		}
		app.Sh("late", "echo kept | dd of=/dev/vda conv=fsync")
		plugged(t, app, appliance.Unplug, "late")
		app.Sh("x", "! ping -c 1 -W 1 10.0.0.4")
		plugged(t, app, appliance.Plug, "late")
		untilState(app, "late", appliance.StateUp)
		if got := app.Sh("late", "head -c5 /dev/vda"); got != "kept\n" {
			t.Errorf("its disk has %q", got)
		}
		app.Sh("x", "ping -c 3 -W 5 10.0.0.4")
	})
}
