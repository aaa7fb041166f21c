package tests

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph/catalog"
	"backplane/simbus"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// untilState waits for a board's state, and returns the event's detail.
func untilState(app *guesttest.App, board, state string) string {
	e := app.Until(3*time.Minute, board+" to be "+state, func(e *simbus.Event) bool {
		s, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && e.Board == board && s == state
	})
	detail, _ := e.Get("detail")
	return detail
}

// TestPanicLeavesTheOthers crashes one board's kernel.
func TestPanicLeavesTheOthers(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, pair(guesttest.Rootfs(t), ""), o)
		app.StartCommand("b1", "/bin/sh", "-c", "kill -QUIT 1")
		if detail := untilState(app, "b1", appliance.StatePanic); !strings.Contains(detail, "Attempted to kill init") {
			t.Errorf("the panic is reported as %q", detail)
		}
		if out := app.Sh("b2", "echo alive"); out != "alive\n" {
			t.Errorf("the other board says %q", out)
		}
		if err := app.PowerOn("b1"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "b1", appliance.StateUp)
		if out := app.Sh("b1", "echo back"); out != "back\n" {
			t.Errorf("switched on again it says %q", out)
		}
	})
}

func TestRebootAndPowerOff(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, pair(guesttest.Rootfs(t), ""), o)
		app.StartCommand("b1", "/bin/sh", "-c", "sleep 1; reboot -f")
		app.Console("b1", `reboot: Restarting system$`, time.Minute) // a serial console's last line
		untilState(app, "b1", appliance.StateOff)
		untilState(app, "b1", appliance.StateUp)
		app.Do("b1", "/bin/ping", "-c", "1", "10.0.0.2")
		if err := app.PowerOff("b1"); err != nil {
			t.Fatal(err)
		}
		app.Console("b1", `reboot: Power down$`, time.Minute)
		if detail := untilState(app, "b1", appliance.StateOff); detail != "" {
			t.Errorf("powered off in order, it says %q", detail)
		}
		if err := app.PowerOff("b1"); err == nil || !strings.Contains(err.Error(), "already off") {
			t.Errorf("power off what is off: %v", err)
		}
		if err := app.PullPlug("b2"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "b2", appliance.StateOff)
	})
}

func TestNoInit(t *testing.T) {
	files := map[string]string{"main.toml": "name = \"b\"\n[firmware]\nargs = \"rdinit=/nowhere\"\n"}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.toml")
	if err := os.WriteFile(file, []byte(files["main.toml"]), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	app := guesttest.StartAppliance(t, a, guesttest.Options{Seed: 1})
	if detail := untilState(app, "b", appliance.StatePanic); !strings.Contains(detail, "init") && !strings.Contains(detail, "root") {
		t.Errorf("a kernel without its init is reported as %q", detail)
	}
}

// TestStuck boots a board whose init says nothing.
func TestStuck(t *testing.T) {
	root := guesttest.Rootfs(t)
	file := filepath.Join(t.TempDir(), "main.toml")
	text := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\nargs = \"rdinit=/bin/sh\"\n", root)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	app := guesttest.StartAppliance(t, a, guesttest.Options{Seed: 1})
	if detail := untilState(app, "b", appliance.StateStuck); !strings.Contains(detail, "init has not reported after 1m0s") {
		t.Errorf("a board whose init is no init is reported as %q", detail)
	}
}

// TestBusyLoop runs a program that never sleeps, which holds virtual time still.
func TestBusyLoop(t *testing.T) {
	app := guesttest.Run(t, pair(guesttest.Rootfs(t), ""), guesttest.Options{Seed: 1, StallLimit: 2 * time.Second})
	app.StartCommand("b1", "/bin/sh", "-c", "while true; do :; done")
	if detail := untilState(app, "b1", appliance.StateLost); !strings.Contains(detail, "loops without sleeping") {
		t.Errorf("a guest that loops is reported as %q", detail)
	}
	app.Sh("b2", "echo alive")
}

// TestKernelKilled kills a guest from the host.
func TestKernelKilled(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, pair(guesttest.Rootfs(t), ""), o)
		pids, err := app.KernelPID("b1")
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(pids, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if detail := untilState(app, "b1", appliance.StateLost); !strings.Contains(detail, "killed") {
			t.Errorf("a kernel that was killed is reported as %q", detail)
		}
		app.Sh("b2", "echo alive")
	})
}

// TestKilledLeavesNothing kills a program that runs an appliance, and looks for
// what it has left.
func TestKilledLeavesNothing(t *testing.T) {
	if os.Getenv("BACKPLANE_TEST_VICTIM") != "" {
		victim(t)
		return
	}
	tmp := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledLeavesNothing$", "-test.v")
	cmd.Env = append(os.Environ(), "BACKPLANE_TEST_VICTIM=1", "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(out)
	for s.Scan() && s.Text() != "victim is up" {
	}
	if len(guests(t, tmp)) == 0 {
		t.Error("no guest was found while it ran: this test cannot find any")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// The sweeper and the guests end by events that cannot be waited for from here.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(tmp, "backplane-*[0-9]"))
		if err != nil {
			t.Fatal(err)
		}
		var dirs []string
		for _, d := range left {
			if !strings.Contains(d, "backplane-test-") {
				dirs = append(dirs, d)
			}
		}
		running := guests(t, tmp)
		if len(dirs) == 0 && len(running) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v, processes %v", dirs, running)
		}
	}
}

func victim(t *testing.T) {
	app := guesttest.Run(t, map[string]string{"main.toml": "name = \"b\"\n"}, guesttest.Options{Seed: 1})
	fmt.Println("\nvictim is up")
	_, _ = app.Advance(context.Background(), simbus.Never, nil)
}

// guests are the processes that work in a run folder below dir, or have it in a root of
// their own. dir is that of a test.
func guests(t *testing.T, dir string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir), "backplane-") // whatever is mounted above
	var found []string
	for _, p := range processes {
		cwd, _ := os.Readlink(p + "/cwd") // one that has just ended has none
		mounts, _ := os.ReadFile(p + "/mountinfo")
		if strings.HasPrefix(cwd, filepath.Join(dir, "backplane-")) || strings.Contains(string(mounts), inside) {
			found = append(found, p)
		}
	}
	return found
}
