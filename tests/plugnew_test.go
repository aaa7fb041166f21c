package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// spareSensor is a sensor that no file has.
const spareSensor = "[[chip]]\nname = \"new0\"\non = \"i2c0\"\nmodel = \"tmp102\"\naddress = 0x4c\ntemperature = %s\n"

// TestPlugNewSensor puts a sensor into a running board that its file does not have: the kernel's driver
// reads it once it was told of it. Then an EEPROM takes the declared sensor's place.
func TestPlugNewSensor(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, plugFiles(guesttest.Rootfs(t, "i2ctransfer")), o)
		fit := func(text string) error {
			return app.Running.Do(appliance.Action{Kind: appliance.Plug, Place: "x", Data: []byte(text)})
		}
		read := func(want string) {
			t.Helper()
			file := fmt.Sprintf(sensorInput, "0-0049")
			if got := app.Sh("x", "for i in $(seq 40); do grep -qx -- "+want+" "+file+" 2>/dev/null && break; sleep 0.05; done; cat "+file); got != want+"\n" {
				t.Errorf("the driver reads %q, want %s", got, want)
			}
		}
		at49 := strings.ReplaceAll(spareSensor, "0x4c", "0x49") // where late0 is not
		if err := fit(fmt.Sprintf(spareSensor, "40")); err == nil || !strings.Contains(err.Error(), "argument:5:1: address is 0x4c") {
			t.Errorf("an address that no TMP102 has: %v", err)
		}
		if err := fit(fmt.Sprintf(at49, "40")); err != nil {
			t.Fatal(err)
		}
		if r := app.StartCommand("x", "sh", "-c", "cat "+fmt.Sprintf(sensorInput, "0-0049")).Wait(); r.Status == 0 {
			t.Errorf("a driver has found it by itself: %q", r.Stdout)
		}
		// late0 is in the device tree at this address, unplugged: its device waits for a driver there.
		app.Sh("x", "echo 0x49 > /sys/bus/i2c/devices/i2c-0/delete_device 2>/dev/null || true; [ -e /sys/bus/i2c/devices/0-0049 ] || echo tmp102 0x49 > /sys/bus/i2c/devices/i2c-0/new_device; "+
			"[ -e /sys/bus/i2c/drivers/tmp102/0-0049 ] || echo 0-0049 > /sys/bus/i2c/drivers/tmp102/bind")
		read("40000")
		app.MustSet("x.new0.temperature", "41")
		read("41000")
		if err := app.Running.Do(appliance.Plug.At("x.late0")); err == nil || !strings.Contains(err.Error(), "0x49 is taken") {
			t.Errorf("two sensors at one address: %v", err)
		}
		plugged(t, app, appliance.Unplug, "x.rom0")
		if err := fit("[[i2c]]\nname = 'i2c0'\n[[i2c.chip]]\nname = 'rom0'\nmodel = 'at24c32'\naddress = 0x51\n"); err != nil {
			t.Fatal(err)
		}
		if r := app.StartCommand("x", "i2ctransfer", "-f", "-y", "0", "w2@0x50", "0", "0", "r1").Wait(); r.Status == 0 {
			t.Errorf("the old EEPROM says %q", r.Stdout)
		}
		app.Sh("x", "echo 24c32 0x51 > /sys/bus/i2c/devices/i2c-0/new_device; echo -n swapped > /sys/bus/i2c/devices/0-0051/eeprom")
		if got := app.Sh("x", "head -c 7 /sys/bus/i2c/devices/0-0051/eeprom"); got != "swapped" {
			t.Errorf("the new EEPROM says %q", got)
		}
		// Parts that were plugged are there after a power cut as well; the device tree is what it was.
		if err := app.Running.PullPlug("x"); err != nil {
			t.Fatal(err)
		}
		if err := app.Running.PowerOn("x"); err != nil {
			t.Fatal(err)
		}
		if err := fit("[[chip]]\nname = 'boot0'\non = 'i2c0'\nmodel = 'at24c32'\naddress = 0x52\n"); err != nil {
			t.Fatal(err) // while it boots
		}
		untilState(app, "x", appliance.StateOff)
		untilState(app, "x", appliance.StateUp)
		if got := app.Do("x", "i2ctransfer", "-f", "-y", "0", "w2@0x52", "0", "0", "r1"); got != "0xff\n" {
			t.Errorf("an EEPROM that came while the board booted says %q", got)
		}
		if got := app.Sh("x", "head -c 7 /sys/bus/i2c/devices/0-0050/eeprom 2>/dev/null; echo 24c32 0x51 > /sys/bus/i2c/devices/i2c-0/new_device; head -c 7 /sys/bus/i2c/devices/0-0051/eeprom"); got != "swapped" {
			t.Errorf("after the power cut the EEPROM says %q", got)
		}
	})
}

// TestPlugNewScenario plays, verifies and replays a scenario that plugs new parts, and has the
// mistakes of another one found before it boots.
func TestPlugNewScenario(t *testing.T) {
	files := plugFiles(guesttest.Rootfs(t))
	files["s.toml"] = `appliance = "main.toml"
[[step]]
unplug = "x.temp0"
[[step]]
plug = { board = "x", toml = '''
[[i2c]]
name = "i2c0"
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  temperature = 66
''' }
expect = { event = "plug", where = { board = "x", part = "^temp0$", state = "^plugged$" } }
[[step]]
exec = { board = "x", command = ["sh", "-c", "cd /sys/bus/i2c/drivers/tmp102; echo 0-0048 > unbind; echo 0-0048 > bind; sleep 0.1; cat 0-0048/hwmon/*/temp1_input"], output = '^66000$' }
[[step]]
plug = { board = "x", toml = '''
chip = [{ name = "new0", on = "i2c0", model = "at24c32", address = 0x57, file = "new.bin" }]
''' }
[[step]]
exec = { board = "x", command = ["sh", "-c", "echo 24c32 0x57 > /sys/bus/i2c/devices/i2c-0/new_device; head -c 3 /sys/bus/i2c/devices/0-0057/eeprom"], output = 'old' }
[[step]]
set = { "x.temp0.temperature" = 67 }
expect = { property = "x.temp0.temperature", equals = 67 }
`
	files["new.bin"] = "old" + strings.Repeat("\xff", 4093)
	files["bad.toml"] = `appliance = "main.toml"
[[step]]
plug = { board = "x", toml = '''
[[chip]]
name = "temp0"
on = "i2c0"
model = "tmp102"
address = 0x4a
''' }
[[step]]
plug = { board = "z", toml = 'chip = []' }
[[step]]
plug = { board = "x" }
[[step]]
plug = "x.new0"
`
	dir := writeFiles(t, files)
	everyWay(t, filepath.Join(dir, "s.toml"), 3)
	if got, err := os.ReadFile(filepath.Join(dir, "new.bin")); err != nil || !strings.HasPrefix(string(got), "old") {
		t.Errorf("the EEPROM's file: %.3q, %v", got, err)
	}
	_, errs, status := run(t, nil, "check", filepath.Join(dir, "bad.toml"))
	for _, want := range []string{"bad.toml:13:1: plug needs toml"} {
		if status != 2 || !strings.Contains(errs, want) {
			t.Errorf("check: status %d, want %q in\n%s", status, want, errs)
		}
	}
	text := strings.Replace(files["bad.toml"], "[[step]]\nplug = { board = \"x\" }\n", "", 1)
	if err := os.WriteFile(filepath.Join(dir, "bad.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, errs, status = run(t, nil, "check", filepath.Join(dir, "bad.toml"))
	for _, want := range []string{
		"bad.toml:3:23: its toml:2:1: temp0 is plugged, by " + filepath.Join(dir, "x.toml") + ":14: unplug x.temp0 first",
		`bad.toml:11:10: there is no board "z"`, `bad.toml:13:1: board x: there is no part or port "new0"`,
	} {
		if status != 2 || !strings.Contains(errs, want) {
			t.Errorf("check: status %d, want %q in\n%s", status, want, errs)
		}
	}
}

// everyWay plays a scenario, so many times to verify it, and replays it, and plays it in real time.
func everyWay(t *testing.T, file string, verify int) {
	t.Helper()
	record := filepath.Join(t.TempDir(), "r")
	for _, tt := range []struct{ want, args string }{
		{"PASSED", "run --out " + record + " " + file},
		{"SAME", fmt.Sprintf("run --verify %d %s", verify, file)},
		{"PASSED", "run --clock real " + file},
		{"SAME", "replay " + record},
	} {
		if out, errs, status := run(t, nil, strings.Fields(tt.args)...); status != 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: status %d\n%s%s", tt.args, status, out, errs)
		}
	}
}
