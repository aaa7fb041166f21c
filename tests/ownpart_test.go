package tests

import (
	"fmt"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// TestOwnPart reaches a part that only its board file describes.
func TestOwnPart(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, "i2cget", "i2cset", guesttest.Program(t, "backplane/tests/programs/slave"))
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(`
name = "b"
memory = "96M"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["alarm"]
[[i2c]]
name = "i2c1"
number = 1
[[i2c.chip]]
name = "pressure0"
model = "registers"
address = 0x60
pins = { alarm = "gpio0.alarm" }
pressure = 101.3
[i2c.chip.registers]
[[i2c.chip.registers.register]]
name = "pressure"
address = 1
width = 16
access = "ro"
[[i2c.chip.registers.register]]
name = "limit"
address = 2
width = 16
reset = 0xffff
[[i2c.chip.registers.property]]
name = "pressure"
unit = "kPa"
register = "pressure"
scale = 0.01
[[i2c.chip.registers.threshold]]
pin = "alarm"
property = "pressure"
above_register = "limit"
`, root)}, o)
		if got := app.Do("b", "i2cget", "-y", "1", "0x60", "1", "w"); got != "0x9227\n" { // 10130 = 0x2792, high byte first
			t.Errorf("the guest reads %q, want 0x9227", got)
		}
		if got := app.Do("b", "slave", "1", "0x60", "1", "2"); got != "2792\n" {
			t.Errorf("with I2C_SLAVE and plain read it reads %q, want 2792", got)
		}
		if v := app.MustGet("b.gpio0.alarm"); v != "0" {
			t.Errorf("the alarm line is %s before, want 0", v)
		}
		app.Do("b", "i2cset", "-y", "1", "0x60", "2", "0xe02e", "w") // 12000 = 0x2ee0
		app.MustSet("b.pressure0.pressure", "121")
		app.Sleep(10 * time.Millisecond)
		if v := app.MustGet("b.gpio0.alarm"); v != "1" {
			t.Errorf("the alarm line is %s above the limit, want 1", v)
		}
	})
}
