package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestClockIsKept: a clock on its battery goes on from run to run, and has the time again of
// which was saved.
func TestClockIsKept(t *testing.T) {
	root := guesttest.Rootfs(t, "hwclock")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		dir := writeFiles(t, map[string]string{"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[i2c]]\nname = \"i2c1\"\nnumber = 1\n"+
			"[[i2c.chip]]\nname = \"rtc\"\nmodel = \"ds3231\"\naddress = 0x68\nfile = \"rtc.bin\"\n", root)})
		file, saved := filepath.Join(dir, "b.toml"), filepath.Join(dir, "saved")
		in := func(what string) string {
			t.Helper()
			app := guesttest.RunFile(t, file, o)
			out := app.Sh("b", what)
			if err := app.Close(); err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(out)
		}
		state := func(args ...string) {
			t.Helper()
			if out, errs, status := run(t, nil, append([]string{"state"}, args...)...); status != 0 || !strings.HasPrefix(out, "b.rtc: ") {
				t.Fatalf("status %d\n%s%s", status, out, errs)
			}
		}
		in("date -u -s '2039-06-07 08:09:10' >/dev/null && hwclock -u -w")
		state("save", file, saved)
		was, err := os.ReadFile(filepath.Join(dir, "rtc.bin"))
		if err != nil {
			t.Fatal(err)
		}
		const read = "cat /sys/class/rtc/rtc0/date"
		if got := in(read); got != "2039-06-07" {
			t.Errorf("the next run reads %q", got)
		}
		in("date -u -s '2050-01-02 03:04:05' >/dev/null && hwclock -u -w")
		if got := in(read); got != "2050-01-02" {
			t.Errorf("what it was set to since is %q", got)
		}
		state("restore", saved)
		if is, err := os.ReadFile(filepath.Join(dir, "rtc.bin")); err != nil || string(is) != string(was) {
			t.Errorf("restored is % x, %v; want % x", is, err, was)
		}
		if got := in(read); got != "2039-06-07" {
			t.Errorf("what was saved reads %q", got)
		}
	})
}
