package boards_test

import (
	"os"
	"path/filepath"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// TestPlaces puts chips on controllers and on channels of others.
func TestPlaces(t *testing.T) {
	const bus = "name = 'x'\n[[i2c]]\nname = 'i'\n[[gpio]]\nname = 'g'\nlines = ['l']\n"
	const mux = "[[chip]]\nname = 'm'\nmodel = 'pca9548'\non = 'i'\naddress = 0x70\n"
	chip := func(name, on, address string) string {
		return "[[chip]]\nname = '" + name + "'\nmodel = 'tmp102'\non = '" + on + "'\naddress = " + address + "\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"on a controller":                  {bus + chip("a", "i", "0x48"), ""},
		"on lines":                         {bus + "[[chip]]\nname = 'd'\nmodel = 'led'\non = 'g'\npins = { in = 'l' }", ""},
		"on a channel":                     {bus + mux + chip("a", "m.0", "0x48"), ""},
		"before the part that it is on":    {bus + chip("a", "m.0", "0x48") + mux, ""},
		"one address on two channels":      {bus + mux + chip("a", "m.0", "0x48") + chip("b", "m.1", "0x48"), ""},
		"one address on one channel":       {bus + mux + chip("a", "m.0", "0x48") + chip("b", "m.0", "0x48"), "b.toml:21:1: address 0x48 on m.0 is taken by a, in line 16"},
		"one address on channel and bus":   {bus + chip("a", "m.0", "0x48") + chip("b", "i", "0x48") + mux, "b.toml:11:1: address 0x48 is taken on i, which m.0 is joined to, by b, in line 16"},
		"the switch's own address":         {bus + mux + "[[chip]]\nname = 'n'\nmodel = 'pca9546'\non = 'm.7'\naddress = 0x70\n", "b.toml:16:1: address 0x70 is taken on i, which m.7 is joined to, by m, in line 11"},
		"a switch behind a switch":         {bus + mux + "[[chip]]\nname = 'n'\nmodel = 'pca9546'\non = 'm.7'\naddress = 0x71\n" + chip("a", "n.3", "0x48"), ""},
		"two switches in a circle":         {bus + "[[chip]]\nname = 'm'\nmodel = 'pca9548'\non = 'n.0'\naddress = 0x70\n[[chip]]\nname = 'n'\nmodel = 'pca9548'\non = 'm.0'\naddress = 0x71\n", "b.toml:10:1: part \"m\": it is on n.0, and n is on nothing itself\nb.toml:15:1: part \"n\": it is on m.0, and m is on nothing itself"},
		"no such channel":                  {bus + mux + chip("a", "m.8", "0x48"), "b.toml:15:1: part \"a\": there is no \"m.8\" for it to be on: did you mean \"m.0\"?"},
		"no such controller":               {bus + chip("a", "j", "0x48"), "b.toml:10:1: part \"a\": there is no \"j\" for it to be on: did you mean \"g\"?"},
		"on nothing":                       {bus + "[[chip]]\nname = 'a'\nmodel = 'tmp102'\naddress = 0x48", "b.toml:7:3: part \"a\": it is on nothing: write on = \"CONTROLLER\" or on = \"PART.CHANNEL\""},
		"of a model for other buses":       {bus + mux + "[[chip]]\nname = 'd'\nmodel = 'led'\non = 'm.0'\npins = { in = 'g.l' }", "b.toml:14:1: an led hangs on gpio, not on i2c"},
		"in a controller's table, with on": {"name = 'x'\n[[i2c]]\nname = 'i'\nchip = [{name='a', model='tmp102', address=0x48, on='j'}]", "b.toml:4:50: part \"a\" is in the table of i, and so is on it: only [[chip]] tables have on"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, mistakes(t, write(t, "b.toml", c.text))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlaceOfAnInstance: an instance's part can be strapped to another address.
func TestPlaceOfAnInstance(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.toml": "name = 'b'\n[[i2c]]\nname = 'i'\nchip = [{name='t', model='tmp102', address=0x48}]",
		"a.toml": "name = 'a'\n[[board]]\nname = 'x'\nfile = 'b.toml'\n[[board]]\nname = 'y'\nfile = 'b.toml'\nset = { 't.address' = 0x49 }",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := boards.Load(filepath.Join(dir, "a.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, m := range a.Board {
		got = append(got, m.Board.Parts()[0].Options.Get("address").Int())
	}
	if diff := cmp.Diff([]int{0x48, 0x49}, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// TestSoldered solders parts to pins of others.
func TestSoldered(t *testing.T) {
	const head = "name = 'x'\n[[i2c]]\nname = 'i'\n[[gpio]]\nname = 'g'\nlines = ['irq', 'l']\n[[chip]]\nname = 'e'\nmodel = 'mcp23017'\non = 'i'\naddress = 0x20\n"
	const pins = "pins = { inta = 'g.irq' }\n"
	led := func(at string) string {
		return "[[chip]]\nname = 'd'\nmodel = 'led'\non = 'g'\npins = { in = '" + at + "' }\n"
	}
	sensor := func(at string) string {
		return "[[chip]]\nname = 's'\nmodel = 'tmp102'\non = 'i'\naddress = 0x48\npins = { alert = '" + at + "' }\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"an LED on an expander's line":              {head + pins + led("e.gpa3"), ""},
		"an interrupt on one":                       {head + pins + sensor("e.gpb0"), ""},
		"of a part that stands before":              {"name = 'x'\n[[i2c]]\nname = 'i'\nchip = [{name='s', model='tmp102', address=0x48, pins={alert='e.p0'}}, {name='e', model='pcf8574', address=0x20}]", ""},
		"a line that is a controller's":             {head + "pins = { inta = 'g.irq', gpa3 = 'g.l' }\n" + led("e.gpa3"), ""},
		"no such pin":                               {head + pins + led("e.gpa8"), "b.toml:17:10: pin in: a mcp23017 has no pin \"gpa8\": did you mean \"gpa0\"?"},
		"an interrupt on no line":                   {head + sensor("e.inta"), "b.toml:17:10: s.alert drives a line that e.inta drives already: two outputs on one line must both be open-drain"},
		"an interrupt where the kernel has no line": {head + pins + "[[chip]]\nname = 'f'\nmodel = 'pcf8574'\non = 'i'\naddress = 0x21\npins = { int = 'e.reset' }\n", "b.toml:18:10: pin int is on e.reset, which is not a GPIO line in the kernel, as its driver needs"},
		"two pins on each other": {head + "pins = { gpa0 = 'f.gpa0' }\n[[chip]]\nname = 'f'\nmodel = 'mcp23017'\non = 'i'\naddress = 0x21\npins = { gpa0 = 'e.gpa0' }\n",
			"b.toml:12:10: pin gpa0: f.gpa0 is soldered to itself, or there are more than 32 pins in a row\nb.toml:18:10: pin gpa0: e.gpa0 is soldered to itself, or there are more than 32 pins in a row"},
		"two outputs": {head + pins + "[[chip]]\nname = 'b'\nmodel = 'button'\non = 'g'\nactive_low = false\npins = { out = 'e.intb' }\n", "b.toml:18:10: b.out drives a line that e.intb drives already: two outputs on one line must both be open-drain"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, mistakes(t, write(t, "b.toml", c.text))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
