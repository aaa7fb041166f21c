package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestNewContents: a chip makes its file when it is first used. A record of that run says
// that there was none, and a replay begins without one, too.
func TestNewContents(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": contentsBoard(t),
		"s.toml": "appliance = \"b.toml\"\n[[step]]\n" +
			"exec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"cat /sys/bus/i2c/devices/1-0050/eeprom | od | head -n 1; echo changed >/sys/bus/i2c/devices/1-0050/eeprom\"], output = \"177777\" }\n",
	})
	record := filepath.Join(dir, "record")
	if out, errs, status := run(t, nil, "run", filepath.Join(dir, "s.toml"), "--out", record); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if made, err := os.ReadFile(filepath.Join(dir, "rom.bin")); err != nil || !strings.HasPrefix(string(made), "changed\n") {
		t.Fatalf("the chip's file: %v, %.20q", err, made)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 0 || !strings.HasPrefix(out, "SAME: b, ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// contentsBoard is a board with an EEPROM that keeps its contents in rom.bin.
func contentsBoard(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[i2c]]\nname = \"i2c1\"\nnumber = 1\n"+
		"[[i2c.chip]]\nname = \"rom\"\nmodel = \"at24c32\"\naddress = 0x50\nfile = \"rom.bin\"\n", guesttest.Rootfs(t))
}

// TestContentsTaken: what a chip keeps is one run's at a time.
func TestContentsTaken(t *testing.T) {
	dir := writeFiles(t, map[string]string{"b.toml": contentsBoard(t)})
	file := filepath.Join(dir, "b.toml")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.RunFile(t, file, o)
		app.Sh("b", "echo first >/sys/bus/i2c/devices/1-0050/eeprom")
		if r, err := second(t, file); err == nil || !strings.HasSuffix(err.Error(), "rom.bin is in use by another run or command") {
			t.Errorf("a second run with what another one's chip keeps: %v", err)
			if err == nil {
				r.Close()
			}
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		app = guesttest.RunFile(t, file, o)
		if out := app.Sh("b", "head -c 5 /sys/bus/i2c/devices/1-0050/eeprom"); out != "first" {
			t.Errorf("the next run finds %q", out)
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
