package tests

import (
	"bufio"
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
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "full\n" {
		t.Errorf("the crowd says %q: %v", line, err)
	}
	time.Sleep(300 * time.Millisecond) // as long as the crowd lasts: nothing is waited for
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
