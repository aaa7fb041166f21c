package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestBootTime has a bootloader take half a second and a kernel 50 ms: parts have
// power meanwhile, and the TMP102's driver has its first value when init runs.
func TestBootTime(t *testing.T) {
	const board = `
name = "b"
[firmware]
rootfs = [%q]
init = "/bin/cat"
init_args = ["/sys/class/hwmon/hwmon0/temp1_input"]
[time]
%s
[[i2c]]
name = "i2c1"
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  [[i2c.chip]]
  name = "pwm0"
  model = "pca9685"
  address = 0x41
`
	root := guesttest.Rootfs(t, "reboot")
	start := func(timing string) *guesttest.App {
		return guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(board, root, timing)}, guesttest.Options{})
	}
	said := func(app *guesttest.App, text string) bool {
		app.Sleep(100 * time.Millisecond)
		for _, e := range app.Events() {
			if line, _ := e.Get("line"); e.Part == boards.MainConsole && strings.Contains(line, text) {
				return true
			}
		}
		return false
	}
	app := start("")
	if !said(app, "Resource temporarily unavailable") {
		t.Error("the driver has a value at once: what are boot and startup for?")
	}

	app = start("boot = \"500ms\"\nstartup = \"50ms\"")
	times := func() (on, bound, hello []simbus.Time) {
		for _, e := range app.Events() {
			s, _ := e.Get("state")
			m, _ := e.Get("messages")
			switch {
			case s == appliance.StateBooting:
				on = append(on, e.Time)
			case s == appliance.StateUp:
				hello = append(hello, e.Time)
			case e.Part == "i2c1" && strings.HasPrefix(m, "W 01 R") && len(bound) < len(on):
				bound = append(bound, e.Time)
			}
		}
		return on, bound, hello
	}
	if !said(app, "25000") {
		t.Error("the driver has no value when init runs")
	}
	app.StartCommand("b", "reboot", "-f")
	untilState(app, "b", appliance.StateUp)
	on, bound, hello := times()
	if len(on) != 2 || len(bound) != 2 || len(hello) != 2 {
		t.Fatalf("on at %v, bound at %v, up at %v", on, bound, hello)
	}
	for i := range on {
		if d := bound[i].Sub(on[i]); d < 500*time.Millisecond || d > 520*time.Millisecond {
			t.Errorf("the driver looked %s after power-on", d)
		}
		if d := hello[i].Sub(on[i]); d < 550*time.Millisecond || d > 570*time.Millisecond {
			t.Errorf("the board was up %s after power-on", d)
		}
	}
	if err := app.PowerOn("b"); err == nil {
		t.Error("a board that is on could be switched on")
	}
	if err := app.PullPlug("b"); err != nil {
		t.Fatal(err)
	}
	if err := app.PowerOn("b"); err != nil {
		t.Fatal(err)
	}
	app.Sleep(100 * time.Millisecond) // the bootloader is running
	if got := app.MustGet("b.pwm0.frequency"); got == "0" {
		t.Error("parts have no power while the bootloader runs")
	}
	if err := app.PowerOn("b"); err == nil {
		t.Error("a board whose bootloader runs could be switched on")
	}
	if err := app.PowerOff("b"); err == nil || !strings.Contains(err.Error(), "bootloader") {
		t.Errorf("power off while the bootloader runs: %v", err)
	}
	if err := app.PullPlug("b"); err != nil {
		t.Fatal(err)
	}
	app.Sleep(time.Second)
	if s, err := app.State("b"); err != nil || s != appliance.StateOff {
		t.Errorf("a board whose plug was pulled is %s (%v)", s, err)
	}
}
