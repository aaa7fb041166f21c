package tests

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"backplane/tests/guesttest"
)

// TestCrowd has another process of the boards' user put as many descriptors under way as
// the user may have, while a board starts programs. The board waits meanwhile, and
// goes on as if nothing had been: each program ends as it should.
func TestCrowd(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(
			"name = \"b\"\nmemory = \"64M\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t))}, o)
		work := app.StartCommand("b", "/bin/sh", "-c",
			"i=0; while [ $i -lt 1000 ]; do /bin/true || exit 1; i=$((i+1)); [ $i = 20 ] && echo begun >/dev/console; done; echo $i")
		app.Console("b", "begun", time.Minute)
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			overcrowd(t, limit.Cur)
		}
		if r := work.Wait(); r.Status != 0 || strings.TrimSpace(r.Stdout) != "1000" {
			t.Errorf("the board's programs ended with %d and %q", r.Status, r.Stdout)
		}
	})
}

// overcrowd fills the messages under way of the boards' user for a while.
func overcrowd(t *testing.T, limit uint64) {
	cmd := exec.Command(guesttest.Program(t, "backplane/tests/programs/crowd"), fmt.Sprint(limit))
	cmd.Stderr = os.Stderr
	release := hold(t, cmd, "full")
	time.Sleep(300 * time.Millisecond) // as long as the crowd lasts: nothing is waited for
	if err := release(); err != nil {
		t.Error(err)
	}
}
