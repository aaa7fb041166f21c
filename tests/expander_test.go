package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/periph/i2c"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestExpander has an expander on one board: a button and an LED on its lines, another
// expander's interrupt, and a wire to another board.
func TestExpander(t *testing.T) {
	files := map[string]string{"main.toml": `name = "two"
[[board]]
file = "x.toml"
[[board]]
file = "y.toml"
[[wire]]
name = "alarm"
from = "x.expander0.gpb7"
to = "y.gpio0.alarm"
`, "x.toml": fmt.Sprintf(`name = "x"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["irq", "reset"]
[[i2c]]
name = "i2c0"
[[chip]]
name = "expander0"
model = "mcp23017"
on = "i2c0"
address = 0x20
pins = { inta = "gpio0.irq", reset = "gpio0.reset" }
[[chip]]
name = "button0"
model = "button"
on = "gpio0"
pins = { out = "expander0.gpa1" }
[[chip]]
name = "led0"
model = "led"
on = "gpio0"
pins = { in = "expander0.gpa2" }
[[chip]]
name = "expander1"
model = "pcf8574"
on = "i2c0"
address = 0x21
pins = { int = "expander0.gpb0" }
`, guesttest.Rootfs(t, "gpioinfo", "gpioget", "gpioset", "gpiomon", "gpiodetect")),
		"y.toml": "name = \"y\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"alarm\"]\n"}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, files, o)
		chip := strings.TrimSpace(app.Sh("x", `basename $(ls -d /sys/bus/i2c/devices/0-0020/gpiochip*)`))
		for device, driver := range map[string]string{"0-0020": "mcp230xx", "0-0021": "pcf857x"} {
			if got := app.Sh("x", "readlink /sys/bus/i2c/devices/"+device+"/driver || ls /sys/bus/i2c/devices"); !strings.HasSuffix(strings.TrimSpace(got), "/"+driver) {
				t.Fatalf("%s is driven by %q, want %s\n%s", device, got, driver, app.Sh("x", "dmesg | tail -20"))
			}
		}

		// What the outside does to a line is heard by a program. The driver compares with what
		// it has read last (drivers/pinctrl/pinctrl-mcp23s08.c, cached_gpio), and so has to have read.
		if got := app.Do("x", "gpioget", chip, "1"); got != "1\n" {
			t.Errorf("gpioget of a button that nobody presses: %q", got)
		}
		monitor := app.StartCommand("x", "gpiomon", "--num-events=2", "--format=%o %e", chip, "1")
		app.Until(time.Minute, "the line's interrupt to be enabled", func(e *simbus.Event) bool {
			messages, _ := e.Get("messages")
			return e.Kind == i2c.KindTransaction && strings.HasPrefix(messages, "W 14 ") // the last register that the driver writes
		})
		app.MustSet("x.button0.press", "100")
		if r := monitor.Wait(); r.Status != 0 || len(strings.Fields(r.Stdout)) != 4 {
			t.Errorf("gpiomon of a button: %+v", r)
		}

		// What a program does to a line is seen outside, and on the other board.
		program := app.StartCommand("x", "gpioset", "--mode=time", "--sec=2", chip, "2=1", "15=1")
		app.Until(time.Minute, "the LED", func(e *simbus.Event) bool {
			v, _ := e.Get("value")
			return e.Part == "led0" && v == "on"
		})
		app.Until(time.Minute, "the wire's far end", func(e *simbus.Event) bool {
			v, _ := e.Get("level")
			return e.Board == "y" && e.Part == "gpio0" && v == "1"
		})
		if v, _, err := app.Running.Get("x.expander0.gpb7"); err != nil || v != "1" {
			t.Errorf("line gpb7 is %q, %v: want 1", v, err)
		}
		program.Wait()

		// An interrupt of another part goes by the expander, whose own goes to the board.
		count := func() string {
			return app.Sh("x", `awk '/0-0021|pcf857x|expander1/ {print $2}' /proc/interrupts; true`)
		}
		before := count()
		app.MustSet("x.expander1.p3", "off")
		app.Sleep(time.Second)
		if after := count(); strings.TrimSpace(before) == "" || after == before {
			t.Errorf("interrupts of the other expander: %q, then %q\n%s", before, after, app.Sh("x", "cat /proc/interrupts"))
		}
	})
}
