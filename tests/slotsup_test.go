package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpWithSlot has an appliance go up of which one card is not in its slot: nobody waits for
// that. What chips have kept is neither saved nor restored while it is up.
func TestUpWithSlot(t *testing.T) {
	s := place(t)
	for name, text := range map[string]string{
		"card.toml": "name = \"card\"\n[[i2c]]\nname = \"i2c0\"\n[[i2c.chip]]\nname = \"rom0\"\nmodel = \"at24c32\"\naddress = 0x50\nfile = \"rom\"\n",
		"s.toml":    "name = \"s\"\n[[board]]\nfile = \"card.toml\"\nname = \"a\"\nslot = \"bay1\"\n[[board]]\nfile = \"card.toml\"\nname = \"b\"\nslot = \"bay1\"\nunplugged = true\nset = { \"rom0.file\" = \"other\" }\n",
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(s.dir, name) }
	refused := func(want string, args ...string) {
		t.Helper()
		cmd := s.client(args...)
		out, err := cmd.CombinedOutput()
		if got := status(t, err); got != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%v: status %d\n%s", args, got, out)
		}
	}
	s.do(0, "", "state", "save", at("s.toml"), at("before"))
	for _, clock := range []string{"virtual", "real"} {
		s.do(0, "", "up", "--detach", "--clock", clock, at("s.toml"))
		s.do(0, "", "wait", "up")
		refused("s is up: end it first", "state", "save", at("s.toml"), at("meanwhile"))
		refused("s is up: end it first", "state", "restore", at("before"))
		s.do(0, "", "unplug", "a")
		s.do(0, "", "plug", "b")
		s.do(0, "", "wait", "up", "b")
		s.do(0, "", "wait", "up") // a is out of it now
		refused("bay1 is a slot: name the board that is in it (a or b)", "plug", "bay1")
		s.do(0, "", "down")
	}
	s.do(0, "", "state", "restore", at("before"))
}
