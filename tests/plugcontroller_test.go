package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// fit plugs what a text says into a board.
func fit(app *guesttest.App, board, text string) error {
	return app.Running.Do(appliance.Action{Kind: appliance.Plug, Place: board, Data: []byte(text)})
}

// newControllers are a controller of each kind, none of which the board's file has, and what is seen of
// each when it is there.
func newControllers(dir string) []struct{ name, text, there string } {
	return []struct{ name, text, there string }{
		{"usb0", "[[disk]]\nname = \"usb0\"\nsize = \"8M\"\nserial = \"stick\"\n", "grep -q ' vda$' /proc/partitions && grep -qx stick /sys/block/vda/serial"},
		{"wan0", "[[ethernet]]\nname = \"wan0\"\naddress = \"10.9.0.1/24\"\n", "ip -o addr show dev wan0 2>/dev/null | grep -q 10.9.0.1/24"},
		{"uart9", "[[serial]]\nname = \"uart9\"\ndevice = \"/dev/ttyGPS\"\n", "[ -c /dev/ttyGPS ]"},
		{"can0", "[[can]]\nname = \"can0\"\nbitrate = 500_000\n", "[ -e /sys/class/net/can0 ]"},
		{"i2c9", "[[i2c]]\nname = \"i2c9\"\n[[i2c.chip]]\nname = \"temp9\"\nmodel = \"tmp102\"\naddress = 0x48\ntemperature = 33\n", "[ -e /sys/bus/i2c/devices/i2c-0 ]"},
		{"gpio9", "[[gpio]]\nname = \"gpio9\"\nlines = [\"door\"]\n", "[ -c /dev/gpio9 ]"},
		{"spi9", "[[spi]]\nname = \"spi9\"\n", "[ -e /sys/class/spi_master/spi0 ]"},
		{"tty9", "[[console]]\nname = \"tty9\"\ndevice = \"/dev/ttyPanel\"\n", "[ -c /dev/ttyPanel ]"},
		{"files9", fmt.Sprintf("[[share]]\nname = \"files9\"\npath = %q\nat = \"/files\"\n", dir), "[ -e /files/hello ]"},
	}
}

// TestPlugNewController plugs a controller of every kind into a running board whose file has none:
// the kernel finds it, its driver has it, and its name and addresses are as the text says. It goes, comes back
// by its name, and is there after a power cut.
func TestPlugNewController(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "hello"), []byte("from the host\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\nspares = 9\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t, "/usr/sbin/ip", "i2ctransfer", "gpioinfo"))}, o)
		all := newControllers(dir)
		for _, c := range all {
			app.Sh("b", "! { "+c.there+"; }")
			if err := fit(app, "b", c.text); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			present(app, "b", c.there)
		}
		// Programs use them.
		app.Sh("b", "dd if=/dev/urandom of=/tmp/x bs=64k count=4 2>/dev/null; dd if=/tmp/x of=/dev/vda conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches; head -c 262144 /dev/vda | cmp - /tmp/x")
		app.Sh("b", "echo tmp102 0x48 > /sys/bus/i2c/devices/i2c-0/new_device; sleep 0.1")
		if got := app.Sh("b", "cat /sys/bus/i2c/devices/0-0048/hwmon/*/temp1_input"); got != "33000\n" {
			t.Errorf("the driver of the sensor on the new bus reads %q", got)
		}
		if got := app.Do("b", "gpioinfo", "gpio9"); !strings.Contains(got, "\"door\"") {
			t.Errorf("gpioinfo says\n%s", got)
		}
		if got := app.Sh("b", "cat /files/hello; echo out > /dev/ttyPanel"); got != "from the host\n" {
			t.Errorf("the new folder has %q", got)
		}
		app.Until(5*time.Second, "a line on the new console", func(e *simbus.Event) bool {
			line, _ := e.Get("line")
			return e.Kind == appliance.KindConsole && e.Part == "tty9" && line == "out"
		})
		app.MustSet("b.temp9.temperature", "34")
		app.Sh("b", "umount /files")

		for _, c := range all {
			plugged(t, app, appliance.Unplug, "b."+c.name)
		}
		for _, c := range all {
			if c.name != "tty9" { // the nodes of consoles stay
				present(app, "b", "! { "+c.there+"; }")
			}
		}
		for _, c := range all {
			plugged(t, app, appliance.Plug, "b."+c.name)
		}
		for _, c := range all {
			present(app, "b", c.there)
		}
		if err := app.Running.PullPlug("b"); err != nil {
			t.Fatal(err)
		}
		plugged(t, app, appliance.Unplug, "b.uart9")
		untilState(app, "b", appliance.StateOff)
		if err := app.Running.PowerOn("b"); err != nil {
			t.Fatal(err)
		}
		plugged(t, app, appliance.Plug, "b.uart9") // while it boots
		untilState(app, "b", appliance.StateUp)
		for _, c := range all {
			present(app, "b", c.there)
		}
		for _, e := range app.Events() {
			if state, _ := e.Get("state"); state == appliance.StateIncomplete {
				t.Errorf("the event %s", e.AppendJSON(nil))
			}
		}
	})
}

// TestPlugNewControllerScenario plays, verifies and replays a scenario that plugs controllers, swaps one for
// another in its place, and is told where there is no place left.
func TestPlugNewControllerScenario(t *testing.T) {
	files := map[string]string{
		"main.toml": "spares = 0\n" + diskBoard(t, "[[disk]]\nname = \"disk0\"\nsize = \"4M\"\nserial = \"old\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.1/24\"\n"),
		"s.toml": `appliance = "main.toml"
[[step]]
unplug = "store.disk0"
[[step]]
plug = { board = "store", toml = '''
[[disk]]
name = "disk0"
image = "new.img"
serial = "new"
''' }
expect = { event = "plug", where = { part = "^disk0$", state = "^plugged" } }
[[step]]
unplug = "store.eth0"
[[step]]
plug = { board = "store", toml = '''
[[ethernet]]
name = "eth0"
mac = "02:00:00:00:00:77"
address = "10.7.0.1/24"
''' }
[[step]]
exec = { board = "store", command = ["sh", "-c", "for i in $(seq 100); do grep -qx new /sys/block/vda/serial 2>/dev/null && ip -o addr show dev eth0 2>/dev/null | grep -q 10.7.0.1/24 && break; sleep 0.05; done; head -c 3 /dev/vda; echo; ip -o addr show dev eth0; cat /sys/class/net/eth0/address"], output = '(?s)^img\n.*10.7.0.1/24.*02:00:00:00:00:77' }
[[step]]
pull_plug = "store"
[[step]]
power_on = "store"
expect = { event = "guest", where = { state = "^hello$" } }
[[step]]
exec = { board = "store", command = ["sh", "-c", "head -c 3 /dev/vda; echo; ip -o addr show dev eth0; cat /sys/class/net/eth0/address"], output = '(?s)^img\n.*10.7.0.1/24.*02:00:00:00:00:77' }
`,
		"new.img":   "img" + strings.Repeat("\x00", 1<<20-3),
		"full.toml": "appliance = \"main.toml\"\n[[step]]\nplug = { board = \"store\", toml = '''\n[[can]]\nname = \"can0\"\n''' }\n",
	}
	dir := writeFiles(t, files)
	everyWay(t, filepath.Join(dir, "s.toml"), 2)
	out, errs, status := run(t, nil, "run", filepath.Join(dir, "full.toml"))
	if want := "can0: board store has no place for it"; status != 1 || !strings.Contains(out+errs, want) {
		t.Errorf("status %d, want %q in\n%s%s", status, want, out, errs)
	}
}
