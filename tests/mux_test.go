package tests

import (
	"fmt"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestMultiplexer has three sensors of one address, one behind each of two channels
// of a switch, and one behind a switch behind a channel; the kernel's drivers
// bind to all, and a program sees the channels as buses.
func TestMultiplexer(t *testing.T) {
	const board = `name = "x"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["reset"]
[[i2c]]
name = "i2c0"
[[chip]]
name = "mux0"
model = "pca9548"
on = "i2c0"
address = 0x70
pins = { reset = "gpio0.reset" }
[[chip]]
name = "cold"
model = "tmp102"
on = "mux0.0"
address = 0x48
temperature = -10
[[chip]]
name = "warm"
model = "tmp102"
on = "mux0.7"
address = 0x48
temperature = 20
[[chip]]
name = "mux1"
model = "pca9546"
on = "mux0.3"
address = 0x71
idle_disconnect = true
[[chip]]
name = "hot"
model = "tmp102"
on = "mux1.2"
address = 0x48
temperature = 90
`
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(board, guesttest.Rootfs(t, "i2cdetect", "i2cget"))}, o)
		for chip, driver := range map[string]string{"0-0070": "pca954x", "4-0071": "pca954x"} {
			if got := app.Sh("x", "readlink /sys/bus/i2c/devices/"+chip+"/driver || ls /sys/bus/i2c/devices"); !strings.HasSuffix(strings.TrimSpace(got), "/"+driver) {
				t.Errorf("%s is driven by %q, want %s\n%s", chip, got, driver, app.Sh("x", "dmesg | tail -20"))
			}
		}
		channel := func(of string, n int) string {
			return fmt.Sprintf("/sys/bus/i2c/devices/%s/channel-%d", of, n)
		}
		for dir, want := range map[string]string{channel("0-0070", 0): "-10000", channel("0-0070", 7): "20000", channel("4-0071", 2): "90000"} {
			// A TMP102 has no result before its first conversion is over.
			got := app.Sh("x", "until cat "+dir+"/*-0048/hwmon/*/temp1_input 2>/dev/null; do sleep 0.05; done")
			if strings.TrimSpace(got) != want {
				t.Errorf("the sensor behind %s says %q, want %s", dir, got, want)
			}
		}
		app.Sh("x", "cat "+channel("0-0070", 7)+"/*-0048/hwmon/*/temp1_input")
		if got := app.Do("x", "i2cget", "-f", "-y", "0", "0x70"); got != "0x80\n" {
			t.Errorf("the switch says %q, want channel 7 alone", got)
		}
		if v, _, err := app.Running.Get("x.mux0.channels"); err != nil || v != "128" {
			t.Errorf("the property channels is %q, %v: want 128", v, err)
		}
		app.MustSet("x.cold.temperature", "-20")
		got := app.Sh("x", "until grep -q -- -20000 "+channel("0-0070", 0)+"/*-0048/hwmon/*/temp1_input; do sleep 0.05; done; i2cdetect -l | wc -l")
		if strings.TrimSpace(got) != "13" { // the adapter, 8 channels and 4
			t.Errorf("there are %s buses, want 13", got)
		}
	})
}
