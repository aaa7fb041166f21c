package tests

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"backplane/guest/kernel"
	"backplane/tests/guesttest"
)

// selftest builds one of the kernel's own tests (tools/testing/selftests in its tree), static,
// as its lib.mk does.
func selftest(t *testing.T, name string, libraries ...string) string {
	t.Helper()
	tree, err := (&kernel.Builder{Flavour: kernel.Virtual}).Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tests, file := filepath.Join(tree, "tools/testing/selftests"), filepath.Join(t.TempDir(), filepath.Base(name))
	args := append([]string{"-static", "-O2", "-D_GNU_SOURCE=", "-I", tests, "-o", file, filepath.Join(tests, name+".c")}, libraries...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// TestKselftestTTY runs the kernel's own tests of ttys: that a terminal's times change when it is
// written to, with a serial port as the terminal, and who may put characters into a terminal's input.
func TestKselftestTTY(t *testing.T) {
	t.Parallel()
	root := guesttest.Rootfs(t, selftest(t, "tty/tty_tstamp_update"), selftest(t, "tty/tty_tiocsti_test", "-lcap"))
	// These demonstrate that the kernel asks who uses a terminal, not who opened it, and so fail on every one.
	known := []string{"tiocsti.fdpass_pty_restricted_nocap", "tiocsti.fdpass_nopty_permissive_nocap", "tiocsti.fdpass_nopty_restricted_nocap"}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(root, 115200), o)
		// It waits for 10 s. The end of a terminal's session drops what has not been sent.
		stamps := app.StartCommand("a", "/bin/sh", "-c", "busybox setsid -c sh -c 'tty_tstamp_update; sleep 1' </dev/ttyS1")
		var failed []string
		passed := 0
		for line := range strings.Lines(app.StartCommand("b", "tty_tiocsti_test").Wait().Stdout) {
			if m := tapResult.FindStringSubmatch(line); m == nil {
				continue
			} else if m[1] == "ok" {
				passed++
			} else {
				failed = append(failed, m[2])
			}
		}
		if passed != 13 || !slices.Equal(failed, known) {
			t.Errorf("%d pass; these fail: %s", passed, failed)
		}
		wants(t, stamps.Wait().Stdout, "timestamps of terminal '/dev/ttyS1' updated", "\nok 1 tty_tstamp_update")
		if got := app.MustGet("a.uart1.sent"); got != "15" { // hello, world!, CR and LF
			t.Errorf("a has sent %s bytes", got)
		}
	})
}

var tapResult = regexp.MustCompile(`^(ok|not ok) \d+ (\S+)\.test\n$`) // of TAP, the Test Anything Protocol
