package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph/gpio"
	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// plugFiles are a board with all kinds of what can be unplugged, and another one at the
// end of its cables.
func plugFiles(root string) map[string]string {
	return map[string]string{
		"x.toml": fmt.Sprintf(`name = "x"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["button", "alert"]
[[gpio.chip]]
name = "button0"
model = "button"
pins = { out = "button" }
[[i2c]]
name = "i2c0"
[[i2c.chip]]
name = "temp0"
model = "tmp102"
address = 0x48
temperature = 21.5
pins = { alert = "gpio0.alert" }
[[i2c.chip]]
name = "late0"
model = "tmp102"
address = 0x49
temperature = 30
unplugged = true
[[i2c.chip]]
name = "rom0"
model = "at24c32"
address = 0x50
[[chip]]
name = "mux0"
model = "pca9546"
on = "i2c0"
address = 0x70
idle_disconnect = true # else its driver takes the channel for selected that was before
[[chip]]
name = "far0"
model = "tmp102"
on = "mux0.1"
address = 0x4a
temperature = -5
[[spi]]
name = "spi0"
[[spi.chip]]
name = "loop0"
model = "spi_loopback"
select = 0
[[serial]]
name = "uart1"
device = "/dev/ttyS1"
[[ethernet]]
name = "eth0"
`, root),
		"y.toml": "name = \"y\"\n[[ethernet]]\nname = \"eth0\"\n[[serial]]\nname = \"uart1\"\n",
		"main.toml": `name = "plug"
[[board]]
file = "x.toml"
[[board]]
file = "y.toml"
[[segment]]
name = "lan"
ports = ["x.eth0", "y.eth0"]
[[serial]]
name = "cable"
ports = ["x.uart1", "y.uart1"]
`}
}

// plugged does an action, which must go well.
func plugged(t *testing.T, app *guesttest.App, k *appliance.ActionKind, place string) {
	t.Helper()
	if err := app.Running.Do(k.At(place)); err != nil {
		t.Fatal(err)
	}
}

// Reads a sensor by its driver, once it has had a conversion.
const sensorInput = "/sys/bus/i2c/devices/%s/hwmon/*/temp1_input"

// TestUnplugI2C unplugs a sensor, an EEPROM and a switch with what is behind it: to the
// kernel's drivers and to programs they are gone, and back when they are plugged.
func TestUnplugI2C(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, plugFiles(guesttest.Rootfs(t, "i2cget", "i2ctransfer")), o)
		read := func(device, want string) {
			t.Helper()
			file := fmt.Sprintf(sensorInput, device)
			if got := app.Sh("x", "for i in $(seq 40); do grep -qx -- "+want+" "+file+" 2>/dev/null && break; sleep 0.05; done; cat "+file); got != want+"\n" {
				t.Errorf("the driver of %s reads %q, want %s", device, got, want)
			}
		}
		gone := func(device, bus, address string) {
			t.Helper()
			// Of the errors in Documentation/i2c/fault-codes.rst for no acknowledge, the bus's driver and
			// the sensor's come to this one.
			if got := app.Sh("x", "cat "+fmt.Sprintf(sensorInput, device)+" 2>&1 || true"); !strings.Contains(got, "No such device or address") && !strings.Contains(got, "Remote I/O error") {
				t.Errorf("the driver of %s, which is unplugged, reads %q", device, got)
			}
			if r := app.StartCommand("x", "i2cget", "-f", "-y", bus, address, "0").Wait(); r.Status == 0 {
				t.Errorf("i2cget of %s, which is unplugged, prints %q", address, r.Stdout)
			}
		}
		rebind := func(device string) {
			app.Sh("x", "cd /sys/bus/i2c/drivers/tmp102; ! [ -e "+device+" ] || echo "+device+" > unbind; echo "+device+" > bind")
		}
		read("0-0048", "21500")
		app.Do("x", "i2ctransfer", "-f", "-y", "0", "w4@0x50", "0x00", "0x10", "0xca", "0xfe")
		app.Sleep(50 * time.Millisecond) // else power goes while it writes
		for _, p := range []string{"x.temp0", "x.rom0", "x.mux0"} {
			plugged(t, app, appliance.Unplug, p)
		}
		gone("0-0048", "0", "0x48")
		gone("2-004a", "0", "0x70")
		if r := app.StartCommand("x", "i2ctransfer", "-f", "-y", "0", "w2@0x50", "0x00", "0x10", "r2").Wait(); r.Status == 0 {
			t.Errorf("the EEPROM that is unplugged says %q", r.Stdout)
		}
		app.MustSet("x.temp0.temperature", "25") // it lies on the bench
		app.MustSet("x.far0.temperature", "-6")
		for _, p := range []string{"x.temp0", "x.rom0", "x.mux0"} {
			plugged(t, app, appliance.Plug, p)
		}
		// Its driver has set the sensor to 13 bits, which that has forgotten: it reads twice as much.
		read("0-0048", "50000")
		rebind("0-0048")
		read("0-0048", "25000")
		rebind("2-004a")
		read("2-004a", "-6000")
		if got := app.Do("x", "i2ctransfer", "-f", "-y", "0", "w2@0x50", "0x00", "0x10", "r2"); got != "0xca 0xfe\n" {
			t.Errorf("the EEPROM says %q, want what it was given", got)
		}
		// One that was not there at first has no driver until it is bound.
		if r := app.StartCommand("x", "sh", "-c", "cat "+fmt.Sprintf(sensorInput, "0-0049")).Wait(); r.Status == 0 {
			t.Errorf("the sensor that is not there says %q", r.Stdout)
		}
		plugged(t, app, appliance.Plug, "x.late0")
		rebind("0-0049")
		read("0-0049", "30000")
	})
}

// TestUnplugPins unplugs a button, whose line then floats and which presses nothing, and a
// wire of an SPI bus.
func TestUnplugPins(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, plugFiles(guesttest.Rootfs(t, "gpioget", guesttest.Program(t, "backplane/tests/programs/spiclient"))), o)
		line := func(want string) {
			t.Helper()
			if got := app.Do("x", "gpioget", "gpiochip0", "0"); got != want+"\n" {
				t.Errorf("the button's line is %q, want %s", got, want)
			}
		}
		edges := func() (n int) {
			for _, e := range app.Events() {
				if line, _ := e.Get("line"); e.Kind == gpio.KindLevel && line == "button" {
					n++
				}
			}
			return n
		}
		line("1") // pulled up
		plugged(t, app, appliance.Unplug, "x.button0")
		line("0") // nothing pulls it
		before := edges()
		app.MustSet("x.button0.pressed", "on")
		app.MustSet("x.button0.pressed", "off")
		if n := edges(); n != before {
			t.Errorf("a button that is unplugged has made %d edges", n-before)
		}
		app.MustSet("x.button0.pressed", "on")
		plugged(t, app, appliance.Plug, "x.button0")
		line("0")
		app.MustSet("x.button0.pressed", "off")
		line("1")

		transfer := []string{"spiclient", "transfer", "/dev/spidev0.0", "0", "8", "1000000", "0055aa"}
		for _, step := range []struct {
			do   *appliance.ActionKind
			want string
		}{{nil, "0055aa\n"}, {appliance.Unplug, "ffffff\n"}, {appliance.Plug, "0055aa\n"}} {
			if step.do != nil {
				plugged(t, app, step.do, "x.loop0")
			}
			if got := app.Do("x", transfer...); got != step.want {
				t.Errorf("%v: spidev reads %q, want %q", step.do, got, step.want)
			}
		}
	})
}

// TestUnplugCables unplugs the cables of an Ethernet port and of a UART, whichever way
// they are named, while the segment is cut and while it is not.
func TestUnplugCables(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, plugFiles(guesttest.Rootfs(t)), o)
		carrier := func(want string) {
			t.Helper()
			if got := app.Sh("x", "ip link set eth0 up; for i in 1 2 3 4 5 6 7 8 9 10; do read c < /sys/class/net/eth0/carrier; [ $c = "+want+" ] && break; sleep 0.1; done; echo $c"); got != want+"\n" {
				t.Errorf("the carrier is %q, want %s", got, want)
			}
		}
		carrier("1")
		plugged(t, app, appliance.Unplug, "x.eth0")
		carrier("0")
		plugged(t, app, appliance.Cut, "lan:x.eth0")
		plugged(t, app, appliance.Plug, "lan:x.eth0")
		carrier("0") // it is cut still
		plugged(t, app, appliance.Restore, "lan:x.eth0")
		carrier("1")
		plugged(t, app, appliance.Unplug, "y.eth0")
		carrier("1") // the switch is between them
		if got := app.MustGet("y.eth0.link"); got != "down" {
			t.Errorf("the link of y is %q", got)
		}

		plugged(t, app, appliance.Unplug, "y.uart1")
		app.Sh("x", "stty -F /dev/ttyS1 raw -echo 115200; echo lost > /dev/ttyS1; sleep 0.1")
		plugged(t, app, appliance.Plug, "cable")
		app.Sh("x", "echo back > /dev/ttyS1")
		app.Until(5*time.Second, "a byte after the cable is plugged", func(e *simbus.Event) bool {
			data, _ := e.Get("data")
			if e.Kind == serial.KindRx && e.Board == "y" && strings.HasPrefix(data, "l") {
				t.Errorf("y has received %q over a cable that was unplugged", data)
			}
			return e.Kind == serial.KindRx && e.Board == "y" && strings.HasPrefix(data, "b")
		})
	})
}

// TestPlugMistakes has a wrong action in each row.
func TestPlugMistakes(t *testing.T) {
	app := guesttest.Run(t, plugFiles(guesttest.Rootfs(t)), guesttest.Options{Seed: 1})
	plugged(t, app, appliance.Unplug, "x.temp0")
	plugged(t, app, appliance.Unplug, "x.eth0")
	for _, tt := range []struct {
		do          *appliance.ActionKind
		place, want string
	}{
		{appliance.Unplug, "x.temp0", "x.temp0 is already unplugged"},
		{appliance.Plug, "x.rom0", "x.rom0 is already plugged"},
		{appliance.Plug, "x.late1", `board x: there is no part or port "late1": did you mean "late0"?`},
		{appliance.Unplug, "lan:x.eth0", "lan:x.eth0 is already unplugged"},
		{appliance.Plug, "cable", "cable is already plugged"},
		{appliance.Unplug, "x", `"x" is a board that is in no slot: write board.part or board.port; pull_plug, as a command power cut, cuts its power`},
		{appliance.Unplug, "x.console", "x.console cannot be unplugged: every board has it"},
		{appliance.Unplug, "z.temp0", `there is no board "z": did you mean "x"?`},
	} {
		if err := app.Running.Do(tt.do.At(tt.place)); err == nil || err.Error() != tt.want {
			t.Errorf("%s %s: %v, want %s", tt.do.Name, tt.place, err, tt.want)
		}
	}
}

// TestPlugScenario plays, verifies and replays a scenario that plugs.
func TestPlugScenario(t *testing.T) {
	files := plugFiles(guesttest.Rootfs(t))
	files["s.toml"] = `appliance = "main.toml"
[[step]]
unplug = "x.temp0"
expect = { event = "plug", where = { part = "^temp0$", state = "unplugged" } }
[[step]]
exec = { board = "x", command = ["sh", "-c", "cat /sys/bus/i2c/devices/0-0048/hwmon/*/temp1_input"], status = 1 }
[[step]]
plug = "x.temp0"
expect = { event = "plug", where = { board = "x", state = "^plugged$" } }
[[step]]
exec = { board = "x", command = ["sh", "-c", "cd /sys/bus/i2c/drivers/tmp102; echo 0-0048 > unbind; echo 0-0048 > bind; sleep 0.1; cat 0-0048/hwmon/*/temp1_input"], output = '^21500$' }
[[step]]
unplug = "x.eth0"
expect = { event = "plug", where = { part = "lan:x.eth0" } }
[[step]]
plug = "lan:x.eth0"
`
	dir := writeFiles(t, files)
	record := filepath.Join(t.TempDir(), "r")
	for _, tt := range []struct{ want, args string }{
		{"PASSED", "run --out " + record + " " + filepath.Join(dir, "s.toml")},
		{"SAME", "run --verify 3 " + filepath.Join(dir, "s.toml")},
		{"SAME", "replay " + record},
	} {
		if out, errs, status := run(t, nil, strings.Fields(tt.args)...); status != 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: status %d\n%s%s", tt.args, status, out, errs)
		}
	}
}
