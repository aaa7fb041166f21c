package tests

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// traces are the folders in which an appliance leaves what it leaves.
type traces struct{ tmp, run string }

// leavesNothing gives the test's appliances folders of their own.
func leavesNothing(t *testing.T) *traces {
	t.Helper()
	l := &traces{tmp: t.TempDir(), run: t.TempDir()}
	t.Setenv("TMPDIR", l.tmp)
	t.Setenv("XDG_RUNTIME_DIR", l.run)
	return l
}

// holdings are what this program holds.
type holdings struct {
	descriptors, goroutines int
	heap, rss               int64 // bytes; the first after the garbage is collected
}

// have counts what this program holds, when what is ending has ended.
func (l *traces) have(t *testing.T) holdings {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return holdings{descriptors: descriptors(t), goroutines: runtime.NumGoroutine(), heap: int64(m.HeapAlloc), rss: resident(t)}
}

// resident is how much memory this program has, in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var all, pages int64
	if _, err := fmt.Sscan(string(statm), &all, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// heapSlack is how much an ended appliance may leave in caches of this program's libraries, in bytes.
const heapSlack = 2 << 20

// same wants nothing to be left of an appliance, in the host or in this program.
func (l *traces) same(t *testing.T, before holdings) {
	t.Helper()
	var now holdings
	var left []string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now, left = l.have(t), l.left(t)
		if len(left) == 0 && now.descriptors <= before.descriptors && now.goroutines <= before.goroutines {
			break
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Errorf("left behind: %v\n%d descriptors, before %d; %d goroutines, before %d\n%s", left, now.descriptors, before.descriptors, now.goroutines, before.goroutines, buf[:runtime.Stack(buf, true)])
			return
		}
	}
	if now.heap > before.heap+heapSlack {
		t.Errorf("%d KiB of the heap are in use, and %d before", now.heap>>10, before.heap>>10)
	}
}

// left are the processes and files of appliances that are there.
func (l *traces) left(t *testing.T) []string {
	t.Helper()
	left := guests(t, l.tmp)
	for _, dir := range []string{l.tmp, l.run, l.run + "/backplane"} {
		list, _ := os.ReadDir(dir) // nothing has made the last one, perhaps
		for _, e := range list {
			if e.Name() != "backplane" {
				left = append(left, dir+"/"+e.Name())
			}
		}
	}
	return left
}
