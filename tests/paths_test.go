package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"
	"backplane/tests/guesttest"
)

// TestPathsBeforeAndAfterBoot: what a scenario's check and what a running appliance
// say of a path is the same.
func TestPathsBeforeAndAfterBoot(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": `name = "b"
[[gpio]]
name = "gpio0"
lines = ["a"]
chip = [{ name = "button0", model = "button", pins = { out = "a" } }]
[[i2c]]
name = "i2c0"
chip = [{ name = "temp0", model = "tmp102", address = 0x48 }]
[[serial]]
name = "uart1"
[[ethernet]]
name = "eth0"
[[ethernet]]
name = "eth1"
`,
		"a.toml": `name = "a"
[[board]]
name = "b1"
file = "b.toml"
off = true
[[board]]
name = "b2"
file = "b.toml"
off = true
[[segment]]
name = "lan"
ports = ["b1.eth0", "b2.eth0"]
`})
	a, err := boards.Load(filepath.Join(dir, "a.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	app := guesttest.StartAppliance(t, a, guesttest.Options{})
	paths := app.Places("property")
	for _, path := range append(paths, "b1.gpio0.0", "b1.gpio0.a.missed", "lan:b1.eth0.tx.frames", "lan:b1.eth0.rx.loss") {
		if strings.Contains(path, ".NAME") {
			continue // stands for the names of what a port counts
		}
		p, err := a.Property(path)
		if err == nil {
			err = p.CheckGet()
		}
		value, _, errGet := app.Get(path)
		if err != nil || errGet != nil || value == "" {
			t.Errorf("%s: %v, %v, it is %q", path, err, errGet, value)
			continue
		}
		// A value that only the run can refuse is none of these.
		for _, v := range []string{value, "no such value"} {
			before, after := p.CheckSet(v, true), app.Set(path, v)
			if (before == nil) != (after == nil) && !strings.Contains(path, ".vlan") && !strings.Contains(path, ".mirror") {
				t.Errorf("set %s to %q: before boot %v, then %v", path, v, before, after)
			}
		}
	}
	if len(paths) < 40 {
		t.Errorf("only %d paths: %q", len(paths), paths)
	}
	for _, path := range []string{"b3.temp0.temperature", "b1.temp9.temperature", "b1.temp0.temprature", "b1.uart1.send", "b1.eth0.lnk", "b1.gpio0.b",
		"b1.gpio0", "b1", "", "lam:b1.eth0.loss", "lan:b1.eth1.loss", "lan:b1.eth0", ":", "b1.temp0.", "b1..x"} {
		_, before := a.Property(path)
		_, _, after := app.Get(path)
		if before == nil || after == nil || after.Error() != path+": "+before.Error() {
			t.Errorf("%q: before boot %v\nthen %v", path, before, after)
		}
		if err := app.Set(path, "1"); err == nil || err.Error() != after.Error() {
			t.Errorf("set %q: %v", path, err)
		}
	}
}
