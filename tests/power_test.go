package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/tests/guesttest"
)

const powered = `
name = "robot"
memory = "96M"
[firmware]
rootfs = [%q]
args = "loglevel=4"
[[gpio]]
name = "gpio0"
lines = ["alert", "button", "lamp"]
  [[gpio.chip]]
  name = "button0"
  model = "button"
  pins = { out = "button" }
  [[gpio.chip]]
  name = "lamp0"
  model = "led"
  active_low = true
  pins = { in = "lamp" }
[[i2c]]
name = "i2c1"
number = 1
  [[i2c.chip]]
  name = "pwm0"
  model = "pca9685"
  address = 0x41
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  pins = { alert = "gpio0.alert" }
  [[i2c.chip]]
  name = "eeprom0"
  model = "at24c32"
  address = 0x50
  file = "eeprom.bin"
  [[i2c.chip]]
  name = "own0"
  model = "registers"
  address = 0x60
    [i2c.chip.registers]
    [[i2c.chip.registers.register]]
    name = "ctrl"
    address = 0
    [[i2c.chip.registers.property]]
    name = "ctrl"
    register = "ctrl"
`

// startPowered is a board with a motor at half, a limit of 32 °C and a register of its own written.
func startPowered(t *testing.T, o guesttest.Options) (app *guesttest.App, dir string) {
	dir = t.TempDir()
	file := filepath.Join(dir, "main.toml")
	board := fmt.Sprintf(powered, guesttest.Rootfs(t, "i2cget", "i2cset", "reboot"))
	if err := os.WriteFile(file, []byte(board), 0o644); err != nil {
		t.Fatal(err)
	}
	app = guesttest.RunFile(t, file, o)
	app.Sh("robot", "i2cset -f -y 1 0x41 0 0x20; i2cset -f -y 1 0x41 6 0 0 0 8 i; i2cset -f -y 1 0x48 3 0x0020 w; i2cset -f -y 1 0x60 0 0x55")
	if got := app.MustGet("robot.pwm0.duty0"); got != "0.5" {
		t.Fatalf("duty0 is %s", got)
	}
	return app, dir
}

func registersOf(app *guesttest.App) string {
	return strings.Join(strings.Fields(app.Sh("robot", "i2cget -f -y 1 0x41 9; i2cget -f -y 1 0x48 3 w; i2cget -f -y 1 0x60 0")), " ")
}

func TestPowerCut(t *testing.T) {
	for _, real := range []bool{false, true} {
		t.Run(fmt.Sprintf("real=%v", real), func(t *testing.T) {
			app, _ := startPowered(t, guesttest.Options{Real: real})
			app.MustSet("robot.temp0.temperature", "40")
			before := len(app.Events())
			if err := app.PullPlug("robot"); err != nil {
				t.Fatal(err)
			}
			stopped := false
			for _, e := range app.Events()[before:] {
				name, _ := e.Get("name")
				value, _ := e.Get("value")
				stopped = stopped || e.Kind == periph.KindProperty && e.Part == "pwm0" && name == "duty0" && value == "0"
			}
			if !stopped {
				t.Error("no event tells that the motor has stopped")
			}
			for path, want := range map[string]string{
				"pwm0.duty0": "0", "own0.ctrl": "0", "temp0.temperature": "40", "lamp0.lit": "off",
				"gpio0.alert": "0", "gpio0.button": "0", "gpio0.lamp": "0",
			} {
				if got := app.MustGet("robot." + path); got != want {
					t.Errorf("without power %s is %s, want %s", path, got, want)
				}
			}
			app.Sleep(time.Second)
			if err := app.PowerOn("robot"); err != nil {
				t.Fatal(err)
			}
			untilState(app, "robot", appliance.StateUp)
			if got := registersOf(app); got != "0x10 0x0050 0x00" {
				t.Errorf("registers after a power cycle: %s, want those of power-on", got)
			}
			if got := app.MustGet("robot.gpio0.button"); got != "1" {
				t.Errorf("the button's line is %s", got)
			}
		})
	}
}

// TestPowerReset checks that a warm reboot, and a kernel that has panicked, leave the parts alone.
func TestPowerReset(t *testing.T) {
	const kept = "0x10 0x0020 0x55" // the PWM driver switches its outputs off as it probes
	app, _ := startPowered(t, guesttest.Options{})
	app.StartCommand("robot", "reboot", "-f")
	untilState(app, "robot", appliance.StateOff)
	untilState(app, "robot", appliance.StateUp)
	if got := registersOf(app); got != kept {
		t.Errorf("registers after a reboot: %s, want %s", got, kept)
	}
	app.Sh("robot", "i2cset -f -y 1 0x41 0 0x20; i2cset -f -y 1 0x41 6 0 0 0 8 i")
	app.StartCommand("robot", "/bin/sh", "-c", "kill -QUIT 1")
	untilState(app, "robot", appliance.StatePanic)
	if got := app.MustGet("robot.pwm0.duty0"); got != "0.5" {
		t.Errorf("duty0 is %s though nobody took the power", got)
	}
	if err := app.PullPlug("robot"); err != nil {
		t.Fatal(err)
	}
	if got := app.MustGet("robot.pwm0.duty0"); got != "0" {
		t.Errorf("duty0 is %s without power", got)
	}
	if err := app.PullPlug("robot"); err == nil {
		t.Error("the plug of a board without power could be pulled")
	}
}

// TestPowerOff checks that a supply that is switched off in order lasts until an
// EEPROM has written, and one that is torn off does not.
func TestPowerOff(t *testing.T) {
	page := bytes.Repeat([]byte{0}, 32)
	write := "head -c 32 /dev/zero > /sys/bus/i2c/devices/1-0050/eeprom"
	cut := func() []byte {
		app, dir := startPowered(t, guesttest.Options{Seed: 7})
		app.Sh("robot", write)
		if err := app.PullPlug("robot"); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "eeprom.bin"))
		if err != nil {
			t.Fatal(err)
		}
		return b[:32]
	}
	torn := cut()
	if bytes.Equal(torn, page) {
		t.Error("a write whose power was cut is whole")
	}
	if again := cut(); !bytes.Equal(torn, again) {
		t.Errorf("the same cut tears differently: %x, %x", torn, again)
	}
	app, dir := startPowered(t, guesttest.Options{})
	app.Sh("robot", write)
	if err := app.PowerOff("robot"); err != nil {
		t.Fatal(err)
	}
	untilState(app, "robot", appliance.StateOff)
	app.Sleep(time.Second)
	b, err := os.ReadFile(filepath.Join(dir, "eeprom.bin"))
	if err != nil || !bytes.Equal(b[:32], page) {
		t.Errorf("after an orderly end: %x (%v)", b[:32], err)
	}
	if got := app.MustGet("robot.pwm0.duty0"); got != "0" {
		t.Errorf("duty0 is %s though the board is off", got)
	}
}

// TestPowerNever checks that the parts of a board that was never on have none.
func TestPowerNever(t *testing.T) {
	root := guesttest.Rootfs(t)
	app := guesttest.Run(t, map[string]string{"robot.toml": fmt.Sprintf(powered, root),
		"main.toml": "name = \"dark\"\n[[board]]\nfile = \"robot.toml\"\noff = true\n"}, guesttest.Options{})
	app.Sleep(time.Second)
	for path, want := range map[string]string{"pwm0.frequency": "0", "gpio0.alert": "0", "gpio0.button": "0"} {
		if got := app.MustGet("robot." + path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if err := app.PowerOn("robot"); err != nil {
		t.Fatal(err)
	}
	untilState(app, "robot", appliance.StateUp)
	if got := app.MustGet("robot.gpio0.alert"); got != "1" {
		t.Errorf("alert is %s with power", got)
	}
}
