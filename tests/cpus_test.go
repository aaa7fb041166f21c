package tests

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// cpuBoard is one with so many CPUs and the load program.
func cpuBoard(t *testing.T, cpus int) map[string]string {
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/load"))
	return map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\ncpus = %d\nmemory = \"512M\"\n[firmware]\nrootfs = [%q]\n", cpus, root)}
}

// untilCPUs waits for the event that so many CPUs of board b are online, and nothing else before.
func untilCPUs(t *testing.T, app *guesttest.App, want int) {
	t.Helper()
	e := app.Until(time.Minute, fmt.Sprintf("%d CPUs", want), func(e *simbus.Event) bool {
		name, _ := e.Get("name")
		value, _ := e.Get("value")
		return e.Board == "b" && e.Part == "" && e.Kind == periph.KindProperty && name == "cpus" && value == strconv.Itoa(want)
	})
	if got := app.MustGet("b.cpus"); got != strconv.Itoa(want) {
		t.Errorf("after %s: %s CPUs", e.AppendJSON(nil), got)
	}
}

// TestCPUsOnline takes CPUs of a running board offline and online, from outside and inside.
func TestCPUsOnline(t *testing.T) {
	app := guesttest.Run(t, cpuBoard(t, 4), guesttest.Options{Real: true})
	online := func(want string) {
		t.Helper()
		if got := strings.TrimSpace(app.Sh("b", "cat /sys/devices/system/cpu/online")); got != want {
			t.Errorf("CPUs %s are online, want %s", got, want)
		}
	}
	if got := app.MustGet("b.cpus"); got != "4" {
		t.Errorf("%s CPUs at the start", got)
	}
	online("0-3")
	app.MustSet("b.cpus", "2")
	online("0-1") // which is asked for after it
	untilCPUs(t, app, 2)
	app.Sh("b", "echo 0 > /sys/devices/system/cpu/cpu1/online")
	untilCPUs(t, app, 1)
	app.Sh("b", "echo 1 > /sys/devices/system/cpu/cpu3/online")
	untilCPUs(t, app, 2)
	app.MustSet("b.cpus", "3") // the first that is offline comes back
	online("0-1,3")
	app.MustSet("b.cpus", "1")
	online("0")
	app.MustSet("b.cpus", "4")
	online("0-3")
	for _, wrong := range []string{"0", "5", "-1", "2.5", "all"} {
		if err := app.Set("b.cpus", wrong); err == nil || !strings.Contains(err.Error(), "b.cpus: ") {
			t.Errorf("set b.cpus to %s: %v", wrong, err)
		}
	}
	if out := app.Sh("b", "ls /sys/devices/system/cpu/cpu0/online 2>&1 || true"); !strings.Contains(out, "No such file") {
		t.Errorf("CPU 0 can be taken offline: %s", out)
	}
}

// TestCPUTopology: a board is one package with a core for each CPU.
func TestCPUTopology(t *testing.T) {
	app := guesttest.Run(t, cpuBoard(t, 3), guesttest.Options{Real: true})
	app.MustSet("b.cpus", "2")
	got := app.Sh("b", "cd /sys/devices/system/cpu/cpu1/topology && cat physical_package_id core_id package_cpus_list core_cpus_list")
	if want := "0\n1\n0-1\n1\n"; got != want {
		t.Errorf("package, core, and CPUs of both of CPU 1: %q, want %q", got, want)
	}
}

// TestCPUsVirtual: in virtual time a board has one CPU.
func TestCPUsVirtual(t *testing.T) {
	app := guesttest.Run(t, cpuBoard(t, 4), guesttest.Options{})
	if got := app.MustGet("b.cpus"); got != "1" {
		t.Errorf("%s CPUs", got)
	}
	app.MustSet("b.cpus", "1")
	if err := app.Set("b.cpus", "2"); err == nil || !strings.Contains(err.Error(), "a board has 1 CPU in virtual time") {
		t.Errorf("set b.cpus to 2: %v", err)
	}
}

// TestCPUsUnderLoad takes CPUs offline and online while processes start, write and end on
// all of them. The kernel has nothing to complain of, restarts with CPUs offline, and halts.
func TestCPUsUnderLoad(t *testing.T) {
	app := guesttest.Run(t, cpuBoard(t, 8), guesttest.Options{Real: true})
	turns := app.StartCommand("b", "/bin/sh", "-c", `
		cd /sys/devices/system/cpu
		i=0
		while [ $i -lt 30 ]; do
			for c in 1 2 3 4 5 6 7; do echo 0 > cpu$c/online || exit 1; done
			for c in 3 1 7 2 6 4 5; do echo 1 > cpu$c/online || exit 1; done
			i=$((i+1))
		done
		touch /tmp/done`)
	load := app.StartCommand("b", "/bin/sh", "-c", "until [ -e /tmp/done ]; do load work 16 1600 || exit 1; done")
	for _, c := range []*guesttest.Command{turns, load} {
		if r := c.Wait(); r.Status != 0 {
			t.Errorf("%s ended with %d: %s", c.Name(), r.Status, r.Stderr)
		}
	}
	if out := app.Sh("b", "dmesg | grep -E 'WARN|BUG|Oops|rcu.*(stall|detected)|hung|failed|lost' || true"); out != "" {
		t.Errorf("the kernel says:\n%s", out)
	}
	cpus := func(want string) {
		t.Helper()
		app.MustSet("b.cpus", want)
		app.Do("b", "/bin/true") // which is asked for after it
		if got := app.MustGet("b.cpus"); got != want {
			t.Errorf("%s CPUs are online, want %s", got, want)
		}
	}
	cpus("2")
	guestState := func(want string) {
		app.Until(time.Minute, want, func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			return e.Kind == appliance.KindGuest && state == want
		})
	}
	app.StartCommand("b", "/bin/reboot", "-f")
	guestState(appliance.StateUp)
	if got := app.MustGet("b.cpus"); got != "8" {
		t.Errorf("%s CPUs after a restart", got)
	}
	cpus("1")
	if err := app.PowerOff("b"); err != nil {
		t.Fatal(err)
	}
	guestState(appliance.StateOff)
	if got := app.MustGet("b.cpus"); got != "0" {
		t.Errorf("%s of the CPUs of a board that is off are online", got)
	}
}
