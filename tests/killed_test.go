package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"backplane/boards/record"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestKilledAtAnyTime kills `up` and `run`, in both clocks, with and without a record, at
// moments between their start and some time after their end: nothing of them goes on or
// stays, and what is recorded can be read up to where it ends. BACKPLANE_KILLS is how
// many, BACKPLANE_KILLS_SEED what the moments come from.
func TestKilledAtAnyTime(t *testing.T) {
	count, seed := setting(t, "BACKPLANE_KILLS", 24), setting(t, "BACKPLANE_KILLS_SEED", 1)
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\nmemory = \"48M\"\n[firmware]\nrootfs = [%q]\n[[gpio]]\nname = \"gpio0\"\nlines = [\"a\"]\n[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.1/24\"\n", guesttest.Rootfs(t)),
		"a.toml": "name = \"a\"\n[[board]]\nname = \"b1\"\nfile = \"b.toml\"\n[[board]]\nname = \"b2\"\nfile = \"b.toml\"\n" +
			"[[segment]]\nname = \"lan\"\nlatency = \"1ms\"\nports = [\"b1.eth0\", \"b2.eth0\"]\n" +
			"[[capture]]\nname = \"live\"\nat = [\"lan\"]\nfifo = \"k/live.fifo\"\n",
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"seq 2000 >/dev/console\"] }\n[[step]]\nwait = \"200ms\"\n",
	})
	pipes := filepath.Join(dir, "k")
	if err := os.Mkdir(pipes, 0o755); err != nil {
		t.Fatal(err)
	}
	at := leavesNothing(t)
	var next atomic.Int64
	var ended atomic.Int64 // before they were killed
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := next.Add(1); i <= int64(count); i = next.Add(1) {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				clock := pick(r, []string{"virtual", "real"})
				args := []string{"run", filepath.Join(dir, "s.toml"), "--clock", clock}
				if r.IntN(2) == 0 {
					args = []string{"up", filepath.Join(dir, "a.toml"), "--clock", clock, "--name", fmt.Sprint("k", i)}
				}
				record := filepath.Join(dir, fmt.Sprint("r", i))
				if r.IntN(2) == 0 {
					args = append(args, "--out", record)
				}
				cmd := exec.Command(backplane(t), args...)
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(r.Float64() * r.Float64() * float64(2*time.Second))) // mostly while it starts
				_ = cmd.Process.Kill()                                                        // a run may have ended
				if cmd.Wait() == nil {
					ended.Add(1)
				}
				readable(t, record)
				_ = os.RemoveAll(record)
			}
		}()
	}
	wg.Wait()
	t.Logf("%d kills with the seed %d, of which %d came after the end", count, seed, ended.Load())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := at.left(t)
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil {
			t.Fatal(err)
		} else if strings.Contains(string(mounts), at.tmp) {
			left = append(left, "a mount")
		}
		list, err := os.ReadDir(pipes)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			left = append(left, e.Name())
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", left)
		}
	}
}

// readable reads the events of a record that may be cut anywhere, if there are any.
func readable(t *testing.T, folder string) {
	t.Helper()
	events, err := os.ReadFile(filepath.Join(folder, record.EventsFile))
	if err != nil {
		return // it was killed before
	}
	last := simbus.Time(0)
	for line := range strings.Lines(string(events)) {
		if !strings.HasSuffix(line, "\n") {
			break // it ends here
		}
		e, err := simbus.ParseEvent([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			t.Errorf("an event of %s cannot be read: %v: %q", folder, err, line)
			return
		}
		if e.Time < last {
			t.Errorf("time goes back in %s: %s", folder, line)
		}
		last = e.Time
	}
}
