package tests

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/periph/spi"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// spiBoard has a wire, a flash and a sensor on SPI, and the same sensor on I2C.
const spiBoard = `name = "x"
[firmware]
rootfs = [%q]
[[spi]]
name = "spi0"
frequency = 20_000_000
[[spi.chip]]
name = "loop0"
model = "spi_loopback"
select = 0
[[spi.chip]]
name = "flash0"
model = "w25q128jv"
select = 1
frequency = 2_000_000 # the driver asks again and again whether an erase is over
file = "flash.bin"
[[spi.chip]]
name = "air0"
model = "bme280"
select = 2
mode = 3
temperature = -12.5
pressure = 912.5
humidity = 33
[[i2c]]
name = "i2c0"
[[i2c.chip]]
name = "air1"
model = "bme280"
address = 0x76
temperature = -12.5
pressure = 912.5
humidity = 33
`

func startSPI(t *testing.T, o guesttest.Options) (app *guesttest.App, dir string) {
	root := guesttest.Rootfs(t, "reboot", guesttest.Program(t, "backplane/tests/programs/spiclient"))
	dir = t.TempDir()
	file := filepath.Join(dir, "main.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, spiBoard, root), 0o644); err != nil {
		t.Fatal(err)
	}
	return guesttest.RunFile(t, file, o), dir
}

// TestSPI has the kernel's drivers bind to parts on SPI, and programs use them.
func TestSPI(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app, _ := startSPI(t, o)
		for device, driver := range map[string]string{"spi0.0": "spidev", "spi0.1": "spi-nor", "spi0.2": "bmp280"} {
			if got := app.Sh("x", "readlink /sys/bus/spi/devices/"+device+"/driver || ls /sys/bus/spi/devices"); !strings.HasSuffix(strings.TrimSpace(got), "/"+driver) {
				t.Errorf("%s is driven by %q, want %s\n%s", device, got, driver, app.Sh("x", "dmesg | tail -20"))
			}
		}
		spidev(t, app)
		iio(t, app)
	})
}

// spidev is a program that transfers words of all kinds over the wire.
func spidev(t *testing.T, app *guesttest.App) {
	const lsbFirst, loop = "0x8", "0x20"
	for _, step := range [][]string{
		{"0", "8", "1000000", "0055aaff"}, {"1", "8", "1000000", "12"}, {"2", "16", "1000000", "1234"}, {"3", "32", "1000000", "12345678"},
		{lsbFirst, "12", "1000000", "ff0f0102"}, {loop, "8", "1000000", "77"}, {"0", "8", "50000000", "99"}, // slower: the controller has a limit
	} {
		args := append([]string{"spiclient", "transfer", "/dev/spidev0.0"}, step...)
		if got := app.Do("x", args...); got != step[3]+"\n" {
			t.Errorf("%s: read %q", strings.Join(args, " "), got)
		}
	}
	hz := map[string]bool{}
	for _, e := range app.Events() {
		if cs, _ := e.Get("select"); e.Kind == spi.KindTransfer && cs == "0" {
			v, _ := e.Get("hz")
			hz[v] = true
		}
	}
	if !hz["1000000"] || !hz["20000000"] || len(hz) != 2 {
		t.Errorf("the clocks were %v, want 1 and 20 MHz", hz)
	}
}

// iio reads the same air on both buses.
func iio(t *testing.T, app *guesttest.App) {
	read := func(device string, channel string) float64 {
		t.Helper()
		text := app.Sh("x", "cat /sys/bus/"+device+"/iio:device*/"+channel)
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			t.Errorf("%s of %s is %q", channel, device, text)
		}
		return v
	}
	for channel, want := range map[string]struct{ value, off float64 }{
		"in_temp_input":             {-12500, 10}, // 0.001 °C
		"in_pressure_input":         {91.25, 0.001},
		"in_humidityrelative_input": {33000, 30}, // 0.001 %
	} {
		spi, i2c := read("spi/devices/spi0.2", channel), read("i2c/devices/0-0076", channel)
		if spi != i2c || math.Abs(spi-want.value) > want.off {
			t.Errorf("%s is %v on SPI and %v on I2C, want %v", channel, spi, i2c, want.value)
		}
	}
}

// TestFlash has MTD write and erase a flash, and power go while it is erased: what is
// under erase then is lost, and nothing else is, in the guest's eyes and in the file's.
func TestFlash(t *testing.T) {
	app, dir := startSPI(t, guesttest.Options{Seed: 1})
	content := func() string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, "flash.bin"))
		if err != nil || len(data) != 16<<20 {
			t.Fatalf("the file has %d bytes: %v", len(data), err)
		}
		return string(data)
	}
	if got := app.Sh("x", "cat /proc/mtd"); !strings.Contains(got, `mtd0: 01000000 00001000 "spi0.1"`) {
		t.Fatalf("/proc/mtd: %q\n%s", got, app.Sh("x", "dmesg | tail"))
	}
	const write = "yes firmware | head -c 40960 > /tmp/image; dd if=/tmp/image of=/dev/mtd0 bs=4096 2>&1 && "
	app.Sh("x", write+"dd if=/dev/mtd0 bs=4096 count=10 2>/dev/null | cmp - /tmp/image && sync")
	want := strings.Repeat("firmware\n", 40960/9+1)[:40960]
	if got := content(); got[:40960] != want || !erased(got[40960:]) {
		t.Error("the file has not what was written")
	}
	app.Do("x", "spiclient", "erase", "/dev/mtd0", "4096", "4096")
	if got := content(); got[:4096] != want[:4096] || !erased(got[4096:8192]) || got[8192:40960] != want[8192:] {
		t.Error("an erase has changed something else, or nothing")
	}

	app.StartCommand("x", "spiclient", "erase", "/dev/mtd0", "0x2000", "0x8000")
	erases := func(e *simbus.Event) bool {
		name, _ := e.Get("name")
		value, _ := e.Get("value")
		return e.Kind == periph.KindProperty && e.Part == "flash0" && name == "erases" && value == "4"
	}
	app.Until(time.Second, "the third sector's erase", erases)
	app.Sleep(20 * time.Millisecond)
	if err := app.PullPlug("x"); err != nil {
		t.Fatal(err)
	}
	app.Until(5*time.Second, "the board to be off", func(e *simbus.Event) bool {
		state, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && state == appliance.StateOff
	})
	torn := content()
	if !erased(torn[0x2000:0x4000]) || torn[0x5000:0xa000] != want[0x5000:] || torn[:0x1000] != want[:0x1000] {
		t.Error("power that was lost during the erase of one sector has changed others")
	}
	if s := torn[0x4000:0x5000]; s == want[0x4000:0x5000] || erased(s) {
		t.Error("the sector under erase is whole")
	}
	if err := app.PowerOn("x"); err != nil {
		t.Fatal(err)
	}
	app.Until(5*time.Second, "the board to be up", func(e *simbus.Event) bool {
		state, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && state == appliance.StateUp
	})
	if got, want := app.Sh("x", "sha256sum < /dev/mtd0"), fmt.Sprintf("%x", sha256.Sum256([]byte(torn))); !strings.HasPrefix(got, want) {
		t.Errorf("the guest reads %s, and the file has %s", got, want)
	}
	app.Do("x", "spiclient", "erase", "/dev/mtd0", "0", "0xa000")
	app.Sh("x", write+"dd if=/dev/mtd0 bs=4096 count=10 2>/dev/null | cmp - /tmp/image")
}

// erased tells whether all bits are 1.
func erased(content string) bool { return strings.Count(content, "\xff") == len(content) }

// TestSPIReboots reboots a board while programs read and erase a flash and read a sensor,
// and powers it off in order: wherever a transfer is at that moment, the board comes up again.
func TestSPIReboots(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app, _ := startSPI(t, o)
		busy := func() {
			app.StartCommand("x", "/bin/sh", "-c", "while cat /sys/bus/spi/devices/spi0.2/iio:device*/in_temp_input; do :; done")
			app.StartCommand("x", "/bin/sh", "-c", "while cat /dev/mtd0; do :; done")
			app.StartCommand("x", "/bin/sh", "-c", "dd if=/bin/busybox of=/dev/mtd0 bs=4096 count=1; spiclient erase /dev/mtd0 0 0x10000")
		}
		for i := range 4 {
			busy()
			app.StartCommand("x", "/bin/sh", "-c", fmt.Sprintf("sleep 0.%06d; reboot -f", 40000+i*7137))
			untilState(app, "x", appliance.StateOff)
			untilState(app, "x", appliance.StateUp)
		}
		busy()
		app.Sleep(50 * time.Millisecond)
		if err := app.PowerOff("x"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "x", appliance.StateOff)
		if err := app.PowerOn("x"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "x", appliance.StateUp)
		if got := app.Sh("x", "dmesg | grep -c 'WARNING:\\|BUG:' || :"); got != "0\n" {
			t.Errorf("the kernel complains: %s", app.Sh("x", "dmesg"))
		}
	})
}
