package scenarios

import (
	"os"
	"path/filepath"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"
	"backplane/simbus/costtest"
)

// fuzzed is an appliance with something of everything.
func fuzzed(f *testing.F) *boards.Appliance {
	dir := f.TempDir()
	for name, text := range map[string]string{
		"a.toml": "name='a'\n[[board]]\nfile='b.toml'\n[[board]]\nname='c'\nfile='b.toml'\n[[segment]]\nname='lan'\nports=['b.e', 'c.e']\n" +
			"[[wire]]\nname='w'\nfrom='b.g.out'\nto='c.g.in'\n[[serial]]\nname='s'\nports=['b.u', 'c.u']\n",
		"b.toml": "name='b'\n[[gpio]]\nname='g'\nlines=['out', 'in', 'key']\nchip=[{name='key0', model='button', pins={out='key'}}]\n" +
			"[[i2c]]\nname='i'\nchip=[{name='t', model='tmp102', address=0x48}]\n[[serial]]\nname='u'\n[[ethernet]]\nname='e'\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	a, err := boards.Load(filepath.Join(dir, "a.toml"), catalog.All)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// steps are seeds: something of each kind.
const steps = `
[[step]]
set = { "b.t.temperature" = 20, "lan.loss" = 0.5, "b.g.in" = "float", "lan:b.e.tx.latency" = "5ms" }
expect = { property = "b.t.temperature", between = [1, 2], capture = "n" }
[[step]]
at = "1s"
press = "b.key0"
hold = "10ms"
[[step]]
exec = { board = "c", command = ["cat", "${n}"], stdin = "x", output = "(?P<m>a{3})" }
[[step]]
wait = "1ms"
send = { to = "b.u", hex = "01 03" }
expect = { all = [{ console = "b", match = "^x$", never = true }, { line = "c.g.in", edge = "rising" }, { frames = "lan", match = "ARP", from = "b.e" }], within = "1s" }
[[step]]
cut = "lan:b.e"
repeat = 3
expect = { any = [{ event = "guest", where = { state = "up", board = "b" } }, { property = "c.u.sent", above = 1 }] }
[[step]]
power_off = "${m}"
`

// FuzzScenario looks for scenarios that crash the reader or the checks.
func FuzzScenario(f *testing.F) {
	text, err := os.ReadFile("thermal/thermal.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("appliance = 'a.toml'\nclock = 'real'\nstart = 2026-01-01T00:00:00Z\nhost_limit = '1m'\n" + steps))
	a := fuzzed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		costtest.Of(len(data)).Run(t, func() {
			s, err := Parse("f", data)
			if (s == nil) == (err == nil) {
				t.Errorf("a scenario and an error, or neither: %v, %v", s, err)
			}
			if err == nil && s.Check(a) == nil {
				s.turns()
			}
		})
	})
}

// FuzzInclude looks for included files that crash the reader, or have no end.
func FuzzInclude(f *testing.F) {
	f.Add([]byte("appliance = 's'\n[[step]]\ninclude = 'i'\nrepeat = 3\nname = 'x'\n"), []byte(steps))
	f.Add([]byte("appliance = 's'\n[[step]]\ninclude = 'i'\n[[step]]\ninclude = 'd/i'\n"), []byte("[[step]]\ninclude = 'd/i'\n"))
	a := fuzzed(f)
	f.Fuzz(func(t *testing.T, data, included []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"s": data, "i": included} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(".", filepath.Join(dir, "d")); err != nil {
			t.Fatal(err)
		}
		limit := costtest.Of(len(data) + 100*len(included)) // under its other names, too
		limit.Run(t, func() {
			s, err := Load(filepath.Join(dir, "s"))
			if (s == nil) == (err == nil) {
				t.Errorf("a scenario and an error, or neither: %v, %v", s, err)
			}
			if err == nil && s.Check(a) == nil && len(s.turns()) != s.Len() {
				t.Errorf("%d turns, and there are to be %d", len(s.turns()), s.Len())
			}
		})
	})
}
