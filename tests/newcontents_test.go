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
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[i2c]]\nname = \"i2c1\"\nnumber = 1\n"+
			"[[i2c.chip]]\nname = \"rom\"\nmodel = \"at24c32\"\naddress = 0x50\nfile = \"rom.bin\"\n", guesttest.Rootfs(t)),
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
