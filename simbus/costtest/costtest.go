// Package costtest holds tests against what an input may cost: bytes that are allocated,
// and time of the CPU, which a busy machine does not change much.
package costtest

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Limit is what something may cost.
type Limit struct {
	CPU   time.Duration
	Bytes int64 // allocated in all, given back or not
}

// Of what an input of that size in bytes may cost a reader: a second and 64 MiB for
// anything, and more in proportion.
func Of(size int) Limit {
	return Limit{CPU: time.Second + time.Duration(size)*20*time.Microsecond, Bytes: 64<<20 + int64(size)*1000}
}

// Run calls f, and fails the test if that costs more. No other tests may run meanwhile.
func (l Limit) Run(t testing.TB, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := spent(t)
	f()
	took := spent(t) - begin
	runtime.ReadMemStats(&after)
	if took > l.CPU {
		t.Errorf("it took %s of CPU time; it may take at most %s", took, l.CPU)
	}
	if n := int64(after.TotalAlloc - before.TotalAlloc); n > l.Bytes {
		t.Errorf("it allocated %d KiB; it may allocate at most %d", n>>10, l.Bytes>>10)
	}
}

// spent is the CPU time of this process.
func spent(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
