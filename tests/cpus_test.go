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

	"github.com/google/go-cmp/cmp"
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

// topologyBoard is one of eight CPUs, arranged as the text says, with lscpu.
func topologyBoard(t *testing.T, topology string) map[string]string {
	root := guesttest.Rootfs(t, "/usr/bin/lscpu")
	return map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\ncpus = 8\nmemory = \"128M\"\n%s\n[firmware]\nrootfs = [%q]\n", topology, root)}
}

// show compares what a command says, but for the width of columns.
func show(t *testing.T, app *guesttest.App, command, want string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(app.Sh("b", command)) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", command, diff)
	}
}

const (
	lscpuSays = `lscpu | grep -E '^(CPU\(s\)|On-line|Off-line|Thread|Core|Socket|L[0-9])'`
	countsIn  = `grep -E '^(processor|physical id|siblings|core id|cpu cores)' /proc/cpuinfo | tail -5`
)

// TestCPUsPlain: without [topology] a board is one socket with a core for each CPU.
func TestCPUsPlain(t *testing.T) {
	app := guesttest.Run(t, topologyBoard(t, ""), guesttest.Options{Real: true})
	show(t, app, lscpuSays, "CPU(s): 8\nOn-line CPU(s) list: 0-7\nThread(s) per core: 1\nCore(s) per socket: 8\nSocket(s): 1")
	show(t, app, countsIn, "processor : 7\nphysical id : 0\nsiblings : 8\ncore id : 7\ncpu cores : 8")
	app.MustSet("b.cpus", "2")
	show(t, app, "cd /sys/devices/system/cpu/cpu1 && cat topology/physical_package_id topology/core_id topology/package_cpus_list topology/core_cpus_list && ! ls -d cache 2>&1",
		"0\n1\n0-1\n1\nls: cache: No such file or directory")
	show(t, app, "dmesg | grep -iE 'cacheinfo|topology|No CPU' || true", "")
}

// TestTopology: programs see sockets, cores, threads and caches as the board says, and CPUs
// that go offline and online leave their masks and come back.
func TestTopology(t *testing.T) {
	app := guesttest.Run(t, topologyBoard(t, `
[topology]
sockets = 2
threads = 2
l1i = { size = "32K" }
l1d = { size = "48K", ways = 12, line_size = 32 }
l2 = { size = "1M" }
l3 = { size = "12M" }`), guesttest.Options{Real: true})
	const caches = "\nL1d cache: 192 KiB (4 instances)\nL1i cache: 128 KiB (4 instances)\nL2 cache: 4 MiB (4 instances)\nL3 cache: 24 MiB (2 instances)"
	all := func() {
		t.Helper()
		show(t, app, lscpuSays, "CPU(s): 8\nOn-line CPU(s) list: 0-7\nThread(s) per core: 2\nCore(s) per socket: 2\nSocket(s): 2"+caches)
		show(t, app, "lscpu -p=CPU,CORE,SOCKET | grep -v '#'", "0,0,0\n1,0,0\n2,1,0\n3,1,0\n4,2,1\n5,2,1\n6,3,1\n7,3,1")
		show(t, app, "cd /sys/devices/system/cpu/cpu5 && cat topology/physical_package_id topology/core_id topology/core_cpus_list topology/package_cpus_list cache/*/shared_cpu_list",
			"1\n0\n4-5\n4-7\n4-5\n4-5\n4-5\n4-7")
		show(t, app, countsIn, "processor : 7\nphysical id : 1\nsiblings : 4\ncore id : 1\ncpu cores : 2")
	}
	all()
	show(t, app, "lscpu -C=NAME,ONE-SIZE,WAYS,TYPE,LEVEL,SETS,COHERENCY-SIZE",
		"NAME ONE-SIZE WAYS TYPE LEVEL SETS COHERENCY-SIZE\nL1d 48K 12 Data 1 128 32\nL1i 32K 8 Instruction 1 64 64\nL2 1M 8 Unified 2 2048 64\nL3 12M 16 Unified 3 12288 64")
	app.MustSet("b.cpus", "5") // of the second socket one thread is left
	show(t, app, "cd /sys/devices/system/cpu/cpu4 && cat topology/core_cpus_list topology/package_cpus_list cache/*/shared_cpu_list", "4\n4\n4\n4\n4\n4")
	show(t, app, countsIn, "processor : 4\nphysical id : 1\nsiblings : 1\ncore id : 0\ncpu cores : 1")
	app.Sh("b", "cd /sys/devices/system/cpu; echo 0 > cpu2/online; echo 1 > cpu7/online")
	show(t, app, "cd /sys/devices/system/cpu && cat cpu[37]/topology/core_cpus_list cpu[37]/topology/package_cpus_list cpu[37]/cache/index3/shared_cpu_list",
		"3\n7\n0-1,3\n4,7\n0-1,3\n4,7")
	app.MustSet("b.cpus", "8")
	all()
	show(t, app, "dmesg | grep -iE 'WARN|BUG|cacheinfo|cache hierarchy|cpu-map|cluster' || true", "")
}

// TestTopologyClusters: clusters that share an L2, and threads whose only caches are the
// first ones.
func TestTopologyClusters(t *testing.T) {
	app := guesttest.Run(t, topologyBoard(t, `
[topology]
clusters = 4
l1i = { size = "16K" }
l1d = { size = "16K" }
l2 = { size = "256K", shared_by = "cluster" }`), guesttest.Options{Real: true})
	show(t, app, lscpuSays, "CPU(s): 8\nOn-line CPU(s) list: 0-7\nThread(s) per core: 1\nCore(s) per socket: 8\nSocket(s): 1"+
		"\nL1d cache: 128 KiB (8 instances)\nL1i cache: 128 KiB (8 instances)\nL2 cache: 1 MiB (4 instances)")
	show(t, app, "cd /sys/devices/system/cpu/cpu5 && cat topology/cluster_id topology/cluster_cpus_list topology/package_cpus_list cache/*/shared_cpu_list", "2\n4-5\n0-7\n5\n5\n4-5")
	app = guesttest.Run(t, topologyBoard(t, "[topology]\nthreads = 4\nl1d = { size = \"16K\", ways = 4 }"), guesttest.Options{Real: true})
	show(t, app, "cd /sys/devices/system/cpu/cpu5 && cat topology/core_cpus_list cache/*/shared_cpu_list cache/*/size cache/*/ways_of_associativity", "4-7\n4-7\n16K\n4")
}

// TestTopologyVirtual: in virtual time there is the first CPU, with its caches.
func TestTopologyVirtual(t *testing.T) {
	app := guesttest.Run(t, topologyBoard(t, "[topology]\nsockets = 2\nthreads = 2\nl1d = { size = \"16K\" }\nl2 = { size = \"1M\", shared_by = \"socket\" }"), guesttest.Options{})
	show(t, app, "lscpu | grep -E '^(CPU\\(s\\)|L[0-9])'", "CPU(s): 1\nL1d cache: 16 KiB (1 instance)\nL2 cache: 1 MiB (1 instance)")
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
