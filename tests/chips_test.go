package tests

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/periph/gpio"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

const zoo = `
name = "zoo"
memory = "96M"
[firmware]
rootfs = [%q]
args = "loglevel=5"

[[gpio]]
name = "gpio0"
lines = ["free", "out", "os", "rtc_int", "expander_int", "pin0", "too_hot"]

[[i2c]]
name = "i2c1"
number = 1

  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  temperature = 21.5

  [[i2c.chip]]
  name = "temp1"
  model = "lm75"
  address = 0x4f
  temperature = -10.5
  pins = { os = "gpio0.os" }

  [[i2c.chip]]
  name = "eeprom0"
  model = "at24c32"
  address = 0x50
  file = "eeprom.bin"

  [[i2c.chip]]
  name = "rtc0"
  model = "ds3231"
  address = 0x68
  pins = { int = "gpio0.rtc_int" }

  [[i2c.chip]]
  name = "expander0"
  model = "pcf8574"
  address = 0x20
  pins = { int = "gpio0.expander_int" }

  [[i2c.chip]]
  name = "power0"
  model = "ina219"
  address = 0x40
  voltage = 3.3
  current = 0.5

  [[i2c.chip]]
  name = "pwm0"
  model = "pca9685"
  address = 0x41
`

func startZoo(t *testing.T, o guesttest.Options) *guesttest.App {
	root := guesttest.Rootfs(t, "i2cdetect", "i2cget", "i2cset", "i2cdump", "i2ctransfer", "hwclock",
		"gpiodetect", "gpioinfo", "gpioget", "gpioset", "gpiomon")
	return guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(zoo, root)}, o)
}

// hwmon is the folder of the chip of that driver name.
func hwmon(app *guesttest.App, name string) string {
	return strings.TrimSpace(app.Sh("zoo", "for d in /sys/class/hwmon/*; do [ $(cat $d/name) = "+name+" ] && echo $d; done; true"))
}

// TestDriversBind looks whether the kernel's own drivers took the chips.
func TestDriversBind(t *testing.T) {
	app := startZoo(t, guesttest.Options{Seed: 1})
	for device, driver := range map[string]string{"1-0048": "tmp102", "1-004f": "lm75", "1-0050": "at24", "1-0068": "rtc-ds1307",
		"1-0020": "pcf857x", "1-0040": "ina2xx", "1-0041": "pca9685-pwm"} {
		if got := app.Sh("zoo", "readlink /sys/bus/i2c/devices/"+device+"/driver || ls /sys/bus/i2c/devices"); !strings.HasSuffix(strings.TrimSpace(got), "/"+driver) {
			t.Errorf("%s is driven by %q, want %s\n%s", device, got, driver, app.Sh("zoo", "dmesg | tail -20"))
		}
	}
}

func TestI2CTools(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startZoo(t, o)
		const bus = `     0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f
00:                         -- -- -- -- -- -- -- -- 
10: -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- 
20: UU -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- 
30: -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- 
40: UU UU -- -- -- -- -- -- UU -- -- -- -- -- -- UU 
50: UU -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- 
60: -- -- -- -- -- -- -- -- UU -- -- -- -- -- -- -- 
70: -- -- -- -- -- -- -- --                         
`
		if got := app.Do("zoo", "i2cdetect", "-y", "1"); got != bus {
			t.Errorf("i2cdetect prints\n%s\nwant\n%s", got, bus)
		}
		if got := app.Do("zoo", "i2cget", "-f", "-y", "1", "0x48", "0", "w"); got != "0xc10a\n" { // 21.5 °C in 13 bits, low byte first
			t.Errorf("i2cget reads %q from the TMP102, want 0xc10a", got)
		}
		app.Do("zoo", "i2cset", "-f", "-y", "1", "0x48", "3", "0x0020", "w") // T_high 32 °C
		if got := app.Do("zoo", "i2ctransfer", "-f", "-y", "1", "w1@0x48", "3", "r2"); got != "0x20 0x00\n" {
			t.Errorf("i2ctransfer reads T_high as %q, want 0x20 0x00", got)
		}
		dump := app.Do("zoo", "i2cdump", "-f", "-y", "1", "0x68", "b")
		if lines := strings.Split(dump, "\n"); len(lines) < 17 || !strings.HasPrefix(lines[1], "00: ") {
			t.Errorf("i2cdump prints\n%s", dump)
		}
		r := app.StartCommand("zoo", "i2cget", "-y", "1", "0x23").Wait()
		if r.Status == 0 || !strings.Contains(r.Stderr, "Read failed") {
			t.Errorf("i2cget of an address that nobody has: %+v", r)
		}
	})
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSensors reads what `sensors` would, from sysfs.
func TestSensors(t *testing.T) {
	app := startZoo(t, guesttest.Options{Seed: 1})
	app.Sleep(time.Second)
	read := func(dir, file string) float64 { return number(t, app.Sh("zoo", "cat "+dir+"/"+file)) }
	tmp, lm, ina := hwmon(app, "tmp102"), hwmon(app, "lm75"), hwmon(app, "ina219")
	if v := read(tmp, "temp1_input"); v != 21500 {
		t.Errorf("tmp102 says %g m°C, want 21500", v)
	}
	app.MustSet("zoo.temp0.temperature", "-40.25")
	app.Sleep(time.Second)
	if v := read(tmp, "temp1_input"); v != -40250 {
		t.Errorf("tmp102 says %g m°C, want -40250", v)
	}
	if v := read(lm, "temp1_input"); v != -10500 {
		t.Errorf("lm75 says %g m°C, want -10500", v)
	}
	for file, want := range map[string]float64{"in1_input": 3300, "curr1_input": 500, "power1_input": 1650000} {
		if v := read(ina, file); v < want*0.99 || v > want*1.01 {
			t.Errorf("ina219 says %s is %g, want %g within 1%%", file, v, want)
		}
	}
	// The LM75's comparator pulls its line low above the limit that the driver sets.
	app.Sh("zoo", "echo 30000 > "+lm+"/temp1_max; echo 25000 > "+lm+"/temp1_max_hyst")
	if v := app.MustGet("zoo.gpio0.os"); v != "1" {
		t.Errorf("the OS line is %s before it is hot, want 1", v)
	}
	app.MustSet("zoo.temp1.temperature", "31")
	app.Sleep(time.Second)
	if v := app.MustGet("zoo.gpio0.os"); v != "0" {
		t.Errorf("the OS line is %s when it is hot, want 0", v)
	}
}

func TestEEPROM(t *testing.T) {
	app := startZoo(t, guesttest.Options{Seed: 1})
	const file = "/sys/bus/i2c/devices/1-0050/eeprom"
	text := strings.Repeat("0123456789abcdef", 10)
	app.Sh("zoo", "printf %s "+text+" | dd of="+file+" bs=1 seek=20 conv=notrunc 2>/dev/null")
	if got := app.Sh("zoo", "dd if="+file+" bs=1 skip=20 count=160 2>/dev/null"); got != text {
		t.Errorf("read back %q, want %q", got, text)
	}
	app.MustSet("zoo.eeprom0.write_protect", "on")
	app.StartCommand("zoo", "/bin/sh", "-c", "printf XX | dd of="+file+" bs=1 seek=20 conv=notrunc").Wait() // it cannot tell
	if got := app.Sh("zoo", "dd if="+file+" bs=1 skip=20 count=2 2>/dev/null"); got != "01" {
		t.Errorf("a write-protected byte reads %q, want 01", got)
	}
}

func TestClockChip(t *testing.T) {
	app := startZoo(t, guesttest.Options{Seed: 1})
	app.Do("zoo", "/usr/sbin/hwclock", "-u", "-f", "/dev/rtc0", "--set", "--date", "2030-05-06 07:08:09")
	app.Sleep(10 * time.Second)
	got := app.Sh("zoo", "cat /sys/class/rtc/rtc0/date /sys/class/rtc/rtc0/time")
	if !regexp.MustCompile(`2030-05-06\n07:08:(19|20)`).MatchString(got) {
		t.Errorf("10 s later it is %q, want 2030-05-06 07:08:19", got)
	}
	if out := app.Do("zoo", "/usr/sbin/hwclock", "-u", "-r", "-f", "/dev/rtc0"); !strings.Contains(out, "2030-05-06 07:08:") {
		t.Errorf("hwclock -r prints %q", out)
	}
	app.Sh("zoo", "echo +5 > /sys/class/rtc/rtc0/wakealarm")
	begin := app.Now()
	e := app.Until(10*time.Second, "the alarm's interrupt", func(e *simbus.Event) bool {
		line, _ := e.Get("line")
		level, _ := e.Get("level")
		return e.Kind == gpio.KindLevel && e.Time > begin && line == "rtc_int" && level == "0"
	})
	if d := e.Time.Sub(begin); d < 3*time.Second || d > 6*time.Second {
		t.Errorf("the alarm came after %s, want about 5 s", d)
	}
	app.Until(time.Second, "the driver to clear it", func(e *simbus.Event) bool {
		line, _ := e.Get("line")
		level, _ := e.Get("level")
		return e.Kind == gpio.KindLevel && line == "rtc_int" && level == "1"
	})
}

func TestExpanderAndPWM(t *testing.T) {
	app := startZoo(t, guesttest.Options{Seed: 1})
	if out := app.Do("zoo", "gpiodetect"); !strings.Contains(out, "(8 lines)") || !strings.Contains(out, "(7 lines)") {
		t.Fatalf("gpiodetect prints\n%s", out)
	}
	chip := strings.Fields(app.Sh("zoo", "gpiodetect | grep '8 lines'"))[0]
	app.MustSet("zoo.expander0.p3", "off")
	if got := app.Do("zoo", "gpioget", chip, "3", "4"); got != "0 1\n" {
		t.Errorf("gpioget of the expander prints %q, want 0 1", got)
	}
	app.Do("zoo", "gpioset", chip, "0=0")
	if got := app.MustGet("zoo.expander0.p0"); got != "off" {
		t.Errorf("p0 is %s after gpioset, want off", got)
	}
	app.Sh("zoo", "cd /sys/class/pwm/pwmchip0 && echo 2 > export && cd pwm2 && echo 5000000 > period && echo 1250000 > duty_cycle && echo 1 > enable")
	// The part has few frequencies to choose from: the driver keeps the pulse's length.
	duty, frequency := number(t, app.MustGet("zoo.pwm0.duty2")), number(t, app.MustGet("zoo.pwm0.frequency"))
	if pulse := duty / frequency; pulse < 1.24e-3 || pulse > 1.26e-3 {
		t.Errorf("pulses of %g s at %g Hz, want 1.25 ms", pulse, frequency)
	}
	if frequency < 195 || frequency > 205 {
		t.Errorf("the frequency is %g Hz, want about 200", frequency)
	}
}

func TestGPIOTools(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startZoo(t, o)
		if out := app.Do("zoo", "gpioinfo", "gpiochip0"); !strings.Contains(out, `"rtc_int"`) || !strings.Contains(out, `"free"`) {
			t.Errorf("gpioinfo prints\n%s", out)
		}
		app.MustSet("zoo.gpio0.free", "1")
		if got := app.Do("zoo", "gpioget", "gpiochip0", "0"); got != "1\n" {
			t.Errorf("gpioget prints %q, want 1", got)
		}
		app.Do("zoo", "gpioset", "--mode=time", "--usec=1000", "gpiochip0", "1=1")
		app.Until(time.Second, "the line to be set", func(e *simbus.Event) bool {
			line, _ := e.Get("line")
			level, _ := e.Get("level")
			return e.Kind == gpio.KindLevel && line == "out" && level == "1"
		})
		mon := app.StartCommand("zoo", "gpiomon", "--num-events=3", "--format=%e %o", "gpiochip0", "0")
		present(app, "zoo", "gpioinfo gpiochip0 | grep -q gpiomon")
		for _, v := range []string{"0", "1", "0"} {
			app.MustSet("zoo.gpio0.free", v)
			app.Sleep(20 * time.Millisecond)
		}
		if got := mon.Wait().Stdout; got != "0 0\n1 0\n0 0\n" {
			t.Errorf("gpiomon prints %q, want falling, rising, falling", got)
		}
	})
}
