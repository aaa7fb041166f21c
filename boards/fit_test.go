package boards_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// running is a board that parts are plugged into.
const running = `name = 'b'
[[gpio]]
name = 'g'
lines = ['l', 'm', 'n']
[[i2c]]
name = 'i2c1'
  [[i2c.chip]]
  name = 'temp0'
  model = 'tmp102'
  address = 0x48
  pins = { alert = 'g.l' }
  [[i2c.chip]]
  name = 'away'
  model = 'tmp102'
  address = 0x49
  unplugged = true
  [[i2c.chip]]
  name = 'rom'
  model = 'at24c32'
  address = 0x50
  file = 'rom.bin'
[[chip]]
name = 'mux'
model = 'pca9546'
on = 'i2c1'
address = 0x70
[[chip]]
name = 'far'
model = 'tmp102'
on = 'mux.0'
address = 0x4b
[[chip]]
name = 'mux9'
model = 'pca9546'
on = 'i2c1'
address = 0x72
unplugged = true
[[chip]]
name = 'lost'
model = 'tmp102'
on = 'mux9.0'
address = 0x4a
`

// fit loads the board, as an appliance does that runs.
func fit(t *testing.T) *boards.Appliance {
	t.Helper()
	a, err := boards.Load(write(t, "a.toml", running), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return a.Clone()
}

func TestFitMistakes(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no TOML", "[[chip]\n", "argument:1:7: expected end of table array name delimiter ']', but got '\\n' instead"},
		{"nothing", "", "argument: there is nothing to plug: write [[chip]] or the table of a controller, such as [[disk]], as in a board file"},
		{"no model", "[[chip]]\nname = 'x'\non = 'i2c1'\naddress = 0x4a", `argument:1:3: part "x" has no model: 'backplane parts' lists them`},
		{"an unknown key", "[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a\ntemprature = 1", `argument:6:1: unknown key "temprature" of a tmp102: did you mean "temperature"?`},
		{"an unknown table", "[[chips]]\nname = 'x'", `argument:1:3: unknown key "chips": did you mean "chip"?`},
		{"no place", "[[chip]]\nname = 'x'\nmodel = 'tmp102'\naddress = 0x4a", `argument:1:3: part "x": it is on nothing: write on = "CONTROLLER" or on = "PART.CHANNEL"`},
		{"a taken address", "[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x48", "argument:5:1: address 0x48 on i2c1 is taken by temp0, in a.toml:10"},
		{"an address that is taken behind", "[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4b", "argument:5:1: address 0x4b is taken on mux.0, which i2c1 is joined to, by far, in a.toml:31"},
		{"an address that is free", "[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x49", ""},
		{"twice in the text", "[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a\n[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x49", `argument:7:1: the name "x" is taken, in line 2: each part of a board needs its own`},
		{"the name of a controller", "[[chip]]\nname = 'g'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a", "argument:2:1: g is plugged, by a.toml:3: unplug b.g first"},
		{"the name of a console", "[[chip]]\nname = 'console'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a", `argument:2:1: the name "console" is taken by the board's main console`},
		{"the name of what is plugged", "[[chip]]\nname = 'temp0'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a", "argument:2:1: temp0 is plugged, by a.toml:8: unplug b.temp0 first"},
		{"in place of what is not", "[[i2c]]\nname = 'i2c1'\n[[i2c.chip]]\nname = 'away'\nmodel = 'at24c32'\naddress = 0x51", ""},
		{"in place of what others are on", "[[chip]]\nname = 'mux9'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a", "argument:2:1: mux9 cannot be replaced: lost is on it"},
		{"two outputs", "[[chip]]\nname = 'x'\non = 'i2c1'\naddress = 0x20\nmodel = 'mcp23017'\npins = { inta = 'g.l' }", "argument:6:10: x.inta drives a line that temp0.alert drives already: two outputs on one line must both be open-drain"},
		{"no such line", "[[chip]]\nname = 'x'\non = 'g'\nmodel = 'button'\npins = { out = 'o' }", `argument:5:10: pin out: g has no line "o": did you mean "l"?`},
		{"another's contents", "[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'at24c32'\naddress = 0x52\nfile = 'rom.bin'", "argument:6:1: b.x and b.rom keep their contents in the same file, rom.bin: give each its own"},
		{"on what comes with it", "[[chip]]\nname = 'y'\non = 'x.1'\nmodel = 'tmp102'\naddress = 0x4a\n[[chip]]\nname = 'x'\non = 'i2c1'\nmodel = 'pca9546'\naddress = 0x71", ""},
		{"a controller", "[[i2c]]\nname = 'i2c2'\nfrequency = 400000\n[[i2c.chip]]\nname = 'x'\nmodel = 'tmp102'\naddress = 0x48", ""},
		{"a controller of each name", "[[disk]]\nname = 'd'\nsize = '1M'\n[[ethernet]]\nname = 'd'", `argument:5:1: the name "d" is taken, in line 2: each part of a board needs its own`},
		{"the name of a controller that is plugged", "[[disk]]\nname = 'i2c1'\nsize = '1M'", "argument:2:1: i2c1 is plugged, by a.toml:6: unplug b.i2c1 first"},
		{"a controller's mistake", "[[disk]]\nname = 'd'\nsize = '1M'\nread_only = 3", "argument:4:1: read_only is the number 3; it must be true or false"},
		{"a disk without an image", "[[disk]]\nname = 'd'\nimage = 'none.img'", "argument:3:1: none.img: no such file or directory"},
		{"a controller of a number", "[[i2c]]\nname = 'i2c2'\nnumber = 7", "argument:3:1: the kernel itself numbers what is plugged: leave number out"},
		{"a pin of a controller that comes", "[[gpio]]\nname = 'h'\nlines = ['o']\n[[chip]]\nname = 'x'\non = 'h'\nmodel = 'button'\npins = { out = 'o' }", ""},
		{"a device that is taken", "[[console]]\nname = 'c'\ndevice = '/dev/g'", `argument:3:1: device is "/dev/g", which is the GPIO controller g: write another name`},
		{"more of a controller", "[[i2c]]\nname = 'i2c1'\nfrequency = 400000\n[[i2c.chip]]\nname = 'x'\nmodel = 'tmp102'\naddress = 0x4a", `argument:3:1: unknown key "frequency": there are chip, name`},
		{"a controller without chips", "[[serial]]\nname = 'i2c1'", "argument:2:1: i2c1 is plugged, by a.toml:6: unplug b.i2c1 first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fit(t).Fit("b", boards.Text{TOML: []byte(tt.text)})
			got := ""
			if err != nil {
				got = err.Error()
				if at := strings.LastIndex(got, " /"); at >= 0 { // a path of this machine's
					got = got[:at+1] + filepath.Base(got[at:])
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFit puts parts onto a board and finds them by their names; what was read has none of them.
func TestFit(t *testing.T) {
	read, err := boards.Load(write(t, "a.toml", running), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	a := read.Clone()
	f, err := a.Fit("b", boards.Text{TOML: []byte("[[chip]]\nname = 'away'\non = 'i2c1'\nmodel = 'at24c32'\naddress = 0x51\n[[chip]]\nname = 'key'\non = 'g'\nmodel = 'button'\npins = { out = 'm' }")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Property("b.key.pressed"); err == nil {
		t.Error("a part is there before it was put there")
	}
	f.Apply()
	for path, want := range map[string]bool{"b.key.pressed": true, "b.away.temperature": false, "b.temp0.temperature": true, "b.far.temperature": true} {
		if _, err := a.Property(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := a.CheckPlug("b.key"); err != nil {
		t.Error(err)
	}
	if _, err := read.Property("b.away.temperature"); err != nil || read.CheckPlug("b.key") == nil {
		t.Errorf("what was read has changed: %v", err)
	}
	f.Undo()
	if a.CheckPlug("b.key") == nil {
		t.Error("it is still there")
	}
	// Again and again the name of what is unplugged is free, but a board has its limits.
	var many strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "[[chip]]\nname = 'x%d'\non = 'g'\nmodel = 'button'\npins = { out = 'm' }\n", i)
	}
	if _, err := a.Fit("b", boards.Text{TOML: []byte(many.String())}); err == nil || !strings.Contains(err.Error(), "it may have 1000") && !strings.Contains(err.Error(), "more mistakes") {
		t.Errorf("1001 parts: %v", err)
	}
}

// TestFitController plugs a controller, takes it off, and has another one of its name take its place.
func TestFitController(t *testing.T) {
	a := fit(t)
	plug := func(text, want string) {
		t.Helper()
		f, err := a.Fit("b", boards.Text{TOML: []byte(text)})
		switch {
		case err == nil && want == "":
			f.Apply()
		case err == nil || want == "" || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	plug("[[i2c]]\nname = 'new'\n[[i2c.chip]]\nname = 'n0'\nmodel = 'tmp102'\naddress = 0x48", "")
	if _, err := a.Property("b.n0.temperature"); err != nil {
		t.Error(err)
	}
	plug("[[chip]]\nname = 'n2'\non = 'new'\nmodel = 'tmp102'\naddress = 0x48", "address 0x48 on new is taken by n0, in argument:6")
	plug("[[i2c]]\nname = 'new'", "new is plugged, by argument:2: unplug b.new first")
	b := a.Members()[0].Board
	b.SetPlugged("new", false)
	plug("[[disk]]\nname = 'new'\nsize = '1M'", "new cannot be replaced: n0 is on it")
	plug("[[i2c]]\nname = 'new'\n[[i2c.chip]]\nname = 'n1'\nmodel = 'tmp102'\naddress = 0x49", "") // onto what is unplugged
	plug("[[i2c]]\nname = 'new'\n[[i2c.chip]]\nname = 'n0'\nmodel = 'tmp102'\naddress = 0x48", "new cannot be replaced: n1 is on it")
	const again = "[[i2c]]\nname = 'new'\n[[i2c.chip]]\nname = 'n0'\nmodel = 'tmp102'\naddress = 0x48\n[[i2c.chip]]\nname = 'n1'\nmodel = 'tmp102'\naddress = 0x49"
	plug(again, "") // with all that is on it
	plug(again, "n0 is plugged, by argument:4: unplug b.n0 first")
	b.SetPlugged("new", false)
	plug("i2c = [{ name = 'new', chip = [{ name = 'n0', model = 'tmp102', address = 0x48 }, { name = 'n1', model = 'tmp102', address = 0x49 }] }]", "")
	b.SetPlugged("new", false)
	plug("[[disk]]\nname = 'new'\nsize = '1M'\n[[chip]]\nname = 'n0'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x4a\n[[chip]]\nname = 'n1'\non = 'i2c1'\nmodel = 'tmp102'\naddress = 0x49", "")
	if err := a.CheckPlug("b.new"); err != nil {
		t.Error(err)
	}
	b.SetPlugged("rom", false)
	plug("[[chip]]\nname = 'rom'\non = 'i2c1'\nmodel = 'at24c32'\naddress = 0x51\nfile = 'rom.bin'", "argument:6:1: b.rom, which is unplugged, keeps its contents in rom.bin: plug that again, or give this another file")
	plug("[[chip]]\nname = 'n2'\non = 'new'\nmodel = 'tmp102'\naddress = 0x48", `there is no "new" for it to be on`)
}
