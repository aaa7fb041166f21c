package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/simbus"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// squeezed is a board whose memory changes, in real time of two CPUs.
type squeezed struct {
	*guesttest.App
	t *testing.T
}

func squeeze(t *testing.T, real bool, memory, backing string) squeezed {
	cpus := 1
	if real {
		cpus = 2
	}
	board := fmt.Sprintf("name = \"b\"\ncpus = %d\nmemory = %q\nbacking = %q\n[firmware]\nrootfs = [%q]\n", cpus, memory, backing, guesttest.Rootfs(t))
	return squeezed{guesttest.Run(t, map[string]string{"main.toml": board}, guesttest.Options{Real: real}), t}
}

// total is the kernel's, in KiB.
func (s squeezed) total() int {
	s.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s.Sh("b", "awk '/^MemTotal:/ { print $2 }' /proc/meminfo")))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// host is how much the file of the board's memory takes on the host, in MiB.
func (s squeezed) host() (mib int) {
	s.t.Helper()
	pid, err := s.KernelPID("b")
	if err != nil {
		s.t.Fatal(err)
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	found := false
	for _, name := range files {
		var st unix.Stat_t
		if unix.Stat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size >= 128<<20 {
			mib, found = int(st.Blocks*512>>20), true
		}
	}
	if !found {
		s.t.Fatal("the kernel has no file of its memory open")
	}
	return mib
}

// set asks for an amount, and waits until the board has it.
func (s squeezed) set(size string) {
	s.t.Helper()
	s.MustSet("b.memory", size)
	s.Until(time.Minute, "memory of "+size, func(e *simbus.Event) bool {
		name, _ := e.Get("name")
		value, _ := e.Get("value")
		return e.Board == "b" && e.Kind == periph.KindProperty && name == "memory" && value == size
	})
	if is := s.MustGet("b.memory"); is != size {
		s.t.Errorf("the board has %s, want %s", is, size)
	}
}

// write writes to 48 MiB of memory, and reads them back.
const write = "dd if=/dev/urandom of=/dev/shm/f bs=1M count=48 && sha256sum /dev/shm/f >/tmp/sum && sha256sum -c /tmp/sum"

// TestMemoryOfARunningBoard takes memory from a board that runs, more than it has to spare too, and gives it back. The
// host has what the guest gives up.
func TestMemoryOfARunningBoard(t *testing.T) {
	t.Parallel()
	for name, real := range map[string]bool{"virtual": false, "real": true} {
		for _, backing := range []string{"ram", "file"} {
			t.Run(name+" "+backing, func(t *testing.T) {
				s := squeeze(t, real, "128M", backing)
				all := s.total()
				s.Sh("b", write+" && rm /dev/shm/f")
				s.set("64M")
				if got := s.total(); got != all-64<<10 {
					t.Errorf("MemTotal is %d kB and was %d", got, all)
				}
				if got := s.host(); got > 64 {
					t.Errorf("the host has %d MiB of a board with 64", got)
				}
				s.set("128M")
				if got := s.total(); got != all {
					t.Errorf("MemTotal is %d kB and was %d", got, all)
				}
				// What the host had back is used again.
				s.Sh("b", write)

				s.MustSet("b.memory", "32M")
				s.Until(time.Minute, "how far it came", func(e *simbus.Event) bool {
					return strings.Contains(detail(e), "32M of memory: it could do without no more")
				})
				left := s.total()
				if left >= all-16<<10 || left < all-80<<10 {
					t.Errorf("MemTotal is %d kB of %d with 48 MiB in use", left, all)
				}
				s.Sh("b", "sha256sum -c /tmp/sum && rm /dev/shm/f")
				if got := s.total(); got != left {
					t.Errorf("MemTotal is %d kB and was %d: it goes on giving memory", got, left)
				}
				for _, wrong := range []string{"129M", "31M", "much", "0"} {
					if err := s.Set("b.memory", wrong); err == nil || !strings.Contains(err.Error(), "b.memory: ") {
						t.Errorf("set b.memory to %s: %v", wrong, err)
					}
				}
				s.StartCommand("b", "/bin/reboot", "-f")
				s.Until(time.Minute, "a restart", func(e *simbus.Event) bool {
					state, _ := e.Get("state")
					return e.Kind == appliance.KindGuest && state == appliance.StateUp
				})
				if got := s.total(); got != all || s.MustGet("b.memory") != "128M" {
					t.Errorf("MemTotal is %d kB of %d after a restart, and the board has %s", got, all, s.MustGet("b.memory"))
				}
			})
		}
	}
}

func detail(e *simbus.Event) string {
	text, _ := e.Get("detail")
	return text
}

// TestFreeMemoryReturns: what a board's programs have freed is the host's again without being asked for, and can be used again.
func TestFreeMemoryReturns(t *testing.T) {
	t.Parallel()
	s := squeeze(t, true, "256M", "ram")
	before := s.host()
	for range 2 {
		s.Sh("b", write)
		if got := s.host(); got < before+44 {
			t.Errorf("the host has %d MiB of it, and %d before 48 were written to", got, before)
		}
		s.Sh("b", "rm /dev/shm/f")
		for limit := time.Now().Add(time.Minute); s.host() > before+30; s.Sleep(100 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("the host has %d MiB of it a minute after 48 were freed, and %d before", s.host(), before)
			}
		}
	}
}

// TestChangedMemoryIsRepeatable plays a scenario with changes several times, and a record of it.
func TestChangedMemoryIsRepeatable(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"b.toml": "name = \"b\"\nmemory = \"96M\"\n",
		"s.toml": `appliance = "b.toml"
[[step]]
exec = { board = "b", command = ["/bin/sh", "-c", "dd if=/dev/urandom of=/dev/shm/f bs=1M count=20; dd if=/dev/urandom of=/dev/shm/g bs=1M count=8; rm /dev/shm/f"] }
[[step]]
set = { "b.memory" = "48M" }
expect = { property = "b.memory", equals = "48M", within = "10s" }
[[step]]
exec = { board = "b", command = ["/bin/sh", "-c", "sha256sum /dev/shm/g; cat /proc/meminfo /proc/interrupts; sleep 30; cat /proc/uptime"], timeout = "1m" }
[[step]]
set = { "b.memory" = "33M" }
expect = { event = "guest", where = { board = "b", state = "incomplete" }, within = "20s" }
[[step]]
set = { "b.memory" = "96M" }
expect = { property = "b.memory", equals = "96M", within = "10s" }
`})
	file := filepath.Join(dir, "s.toml")
	if out, errs, status := run(t, nil, "run", "--verify", "3", file); status != 0 || !strings.Contains(out, "SAME: 3 runs") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	record := filepath.Join(dir, "record")
	if out, errs, status := run(t, nil, "run", "--out", record, file); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if events, err := os.ReadFile(filepath.Join(record, "events.jsonl")); err != nil || strings.Count(string(events), `"name":"memory"`) < 2 {
		t.Errorf("%v: the events do not tell of memory", err)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 0 || !strings.Contains(out, "SAME: ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// TestMemoryToTheLeast takes more from a board than it can give: what it has left is enough for programs at any time.
func TestMemoryToTheLeast(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		for _, memory := range []string{"32M", "36M"} {
			app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\nmemory = \"256M\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t))}, o)
			app.MustSet("b.memory", memory)
			app.Until(time.Minute, "it gives what it can", func(e *simbus.Event) bool {
				state, _ := e.Get("state")
				return e.Kind == "guest" && state == "incomplete"
			})
			for range 10 {
				app.Sleep(200 * time.Millisecond)
				if got := app.Sh("b", "ls / | grep -c proc"); got != "1\n" {
					t.Errorf("with less than %s: %q", memory, got)
				}
			}
			if out := app.Sh("b", "dmesg | grep -e 'invoked oom-killer' -e 'Out of puff' || true"); out != "" {
				t.Errorf("with less than %s, there was no memory: %s", memory, out)
			}
		}
	})
}

// TestMemoryThatRunsOut: who finds no memory waits for the victim of the kernel's OOM killer, which has to run meanwhile also
// where instructions take no time.
func TestMemoryThatRunsOut(t *testing.T) {
	t.Parallel()
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\nmemory = \"64M\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t))}, o)
		for what, script := range map[string]string{
			"Out of memory":               "true",
			"Memory cgroup out of memory": "mkdir /cg; mount -t cgroup2 none /cg && echo +memory >/cg/cgroup.subtree_control && mkdir /cg/small && echo 8M >/cg/small/memory.max && echo 0 >/cg/small/cgroup.procs",
		} {
			app.Sh("b", script+"; sleep 1000 >/dev/null & echo 1000 >/proc/$!/oom_score_adj; tail /dev/zero; true")
			out := app.Sh("b", "dmesg | grep ' memory: Killed'; dmesg -c >/dev/null; echo used again >/tmp/f && cat /tmp/f")
			if !strings.Contains(out, "] "+what+": Killed") || !strings.Contains(out, "oom_score_adj:1000\n") || !strings.Contains(out, " (tail) ") || !strings.HasSuffix(out, "\nused again\n") {
				t.Errorf("%s: %q", what, out)
			}
		}
	})
}
