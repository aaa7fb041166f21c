package appliance_test

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
)

// fitted plugs what a text says into the board b.
func (r *rig) fitted(text string) error {
	return r.Do(appliance.Action{Kind: appliance.Plug, Place: "b", Data: []byte(text)})
}

const sensorAt49 = "[[chip]]\nname = 'temp1'\non = 'i2c0'\nmodel = 'tmp102'\naddress = 0x49\ntemperature = 30\n"

// TestPlugNew puts a sensor onto a running board that its file does not have, swaps it for another
// part, and sees that the board's power is that of new parts too.
func TestPlugNew(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Programs["temperature"] = func(p *guesttest.Program) int {
			b := p.ReadRegister("i2c0", 0x49, 0, 2)
			if b == nil {
				p.Print("nothing")
				return 0
			}
			p.Print("temperature %d", int16(binary.BigEndian.Uint16(b))>>4)
			return 0
		}
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.must(r.fitted("[[chip]]\nname = 'early'\non = 'i2c0'\nmodel = 'tmp102'\naddress = 0x4a\n")) // while it boots
		r.up("b")
		reads := func(want string) {
			t.Helper()
			r.pass(time.Second / 8)
			r.exec("b", "temperature")
			r.line("b", "console", want)
		}
		reads("nothing")
		if err := r.Do(appliance.Unplug.At("b.temp1")); err == nil || !strings.Contains(err.Error(), "temp1") {
			t.Errorf("unplug what is not there: %v", err)
		}
		r.must(r.fitted(sensorAt49))
		reads("temperature 480")
		r.must(r.Set("b.temp1.temperature", "31"))
		reads("temperature 496")
		if err := r.fitted(sensorAt49); err == nil || !strings.Contains(err.Error(), "unplug b.temp1 first") {
			t.Errorf("plugged twice: %v", err)
		}
		unplugged := func() bool {
			list := r.Readings()
			i := slices.IndexFunc(list, func(x appliance.Reading) bool { return x.Path == "b.temp1.temperature" })
			if i < 0 {
				t.Fatal("the list of properties lacks that of the new part")
			}
			return list[i].Unplugged
		}
		r.must(r.Do(appliance.Unplug.At("b.temp1")))
		reads("nothing")
		if !unplugged() {
			t.Error("the list of properties does not say that the part is unplugged")
		}
		r.must(r.Do(appliance.Plug.At("b.temp1"))) // by its name, as it was
		reads("temperature 496")
		if unplugged() {
			t.Error("the list of properties says that the part is unplugged")
		}
		r.must(r.Do(appliance.Unplug.At("b.temp1")))

		// Another one has its place, so that it cannot come back; then one of another model has its name.
		r.must(r.fitted("[[chip]]\nname = 'other'\non = 'i2c0'\nmodel = 'tmp102'\naddress = 0x49\ntemperature = 1\n"))
		reads("temperature 16")
		if err := r.Do(appliance.Plug.At("b.temp1")); err == nil || !strings.Contains(err.Error(), "0x49 is taken") {
			t.Errorf("plugged where another part is: %v", err)
		}
		r.must(r.fitted("[[chip]]\nname = 'temp1'\non = 'i2c0'\nmodel = 'at24c32'\naddress = 0x51\n"))
		if _, _, err := r.Get("b.temp1.temperature"); err == nil {
			t.Error("an EEPROM has a temperature")
		}
		r.must(r.PullPlug("b"))
		r.must(r.Set("b.other.temperature", "2"))
		r.must(r.PowerOn("b"))
		r.up("b")
		reads("temperature 32")
	})
}

// TestPlugNewFails leaves a board as it was if a part cannot be made.
func TestPlugNewFails(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, guesttest.New(t), files{"main.toml": oneBoard}, o)
		r.up("b")
		dir := t.TempDir()
		r.must(r.Do(appliance.Unplug.At("b.temp0")))
		bad := "[[chip]]\nname = 'ok'\non = 'i2c0'\nmodel = 'tmp102'\naddress = 0x4c\n[[chip]]\nname = 'temp0'\non = 'i2c0'\nmodel = 'at24c32'\naddress = 0x50\nfile = '" + dir + "'\n"
		for range 3 {
			if err := r.fitted(bad); err == nil {
				t.Fatal("a folder is taken for the contents of an EEPROM")
			}
		}
		if _, _, err := r.Get("b.ok.temperature"); err == nil {
			t.Error("one of the parts came onto the board")
		}
		r.must(r.Do(appliance.Plug.At("b.temp0")))
		r.must(r.Set("b.temp0.temperature", "3"))
	})
}

// TestPlugNewCycles plugs and unplugs 200 new parts: neither goroutines, which the package's own
// check counts, nor descriptors are left.
func TestPlugNewCycles(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, guesttest.New(t), files{"main.toml": oneBoard}, o)
		r.up("b")
		open := func() int {
			list, err := os.ReadDir("/proc/self/fd")
			r.must(err)
			return len(list)
		}
		file := t.TempDir() + "/rom"
		cycle := func(i int) {
			text := sensorAt49
			if i%2 == 1 {
				text = "[[chip]]\nname = 'temp1'\non = 'i2c0'\nmodel = 'at24c32'\naddress = 0x51\nfile = '" + file + string(rune('a'+i%4)) + "'\n"
			}
			r.must(r.fitted(text))
			r.must(r.Do(appliance.Unplug.At("b.temp1")))
		}
		for i := range 4 {
			cycle(i)
		}
		before := open()
		for i := range 200 {
			cycle(i)
		}
		if after := open(); after > before+2 { // of the test's own
			t.Errorf("%d descriptors are open, %d before", after, before)
		}
	})
}

// TestPlugNewAgain plugs an adapter with a sensor, pulls it and plugs it again by the same text, and swaps the sensor of a pulled one.
func TestPlugNewAgain(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, guesttest.New(t), files{"main.toml": oneBoard}, o)
		r.up("b")
		const adapter = "[[i2c]]\nname = 'new'\n[[i2c.chip]]\nname = 'probe'\nmodel = 'tmp102'\naddress = 0x48\ntemperature = 30\n"
		for range 3 {
			r.must(r.fitted(adapter))
			if got := r.value("b.probe.temperature"); got != "30" {
				t.Errorf("the sensor has %s", got)
			}
			r.must(r.Set("b.probe.temperature", "31"))
			r.must(r.Do(appliance.Unplug.At("b.new")))
		}
		if err := r.fitted("[[i2c]]\nname = 'new'\nfrequency = 400_000\n"); err == nil || !strings.Contains(err.Error(), "new cannot be replaced: probe is on it") {
			t.Errorf("an adapter without its sensor: %v", err)
		}
		r.must(r.fitted("[[chip]]\nname = 'probe'\non = 'i2c0'\nmodel = 'at24c32'\naddress = 0x51\n"))
		r.must(r.Do(appliance.Plug.At("b.new")))
		if _, _, err := r.Get("b.probe.temperature"); err == nil {
			t.Error("an EEPROM has a temperature")
		}
	})
}

// TestAttachUnplugged does not attach to a console that is off its board.
func TestAttachUnplugged(t *testing.T) {
	r := start(t, guesttest.New(t), files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
	r.must(r.Do(appliance.Unplug.At("b.debug")))
	if _, _, err := r.Attach("b.debug", func([]byte) {}); err == nil || !strings.Contains(err.Error(), "b.debug is unplugged") {
		t.Errorf("attached to what is unplugged: %v", err)
	}
	r.must(r.Do(appliance.Plug.At("b.debug")))
	_, detach, err := r.Attach("b.debug", func([]byte) {})
	r.must(err)
	detach()
}
