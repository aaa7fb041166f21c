package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// calls measures what a guest program's system call takes, and how much more several CPUs
// of a board do.
func (b *bench) calls() error {
	const hostCalls = 100_000
	begin := time.Now()
	for range hostCalls {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
	}
	host := micros(time.Since(begin), hostCalls)
	limit, err := b.limitVirtual()
	if err != nil {
		return err
	}
	b.row("two processes that wake each other on one CPU", limit, 0, "us")
	work := make(map[int]float64)
	for _, virtual := range []bool{false, true} {
		for _, cpus := range []int{1, 2, 64} {
			if virtual && cpus > 1 {
				continue // it has one
			}
			took, worked, err := b.callsOf(cpus, virtual)
			if err != nil {
				return err
			}
			b.row(fmt.Sprintf("system call, %s, %s, beside the host's", count(cpus, "CPU"), clockName(virtual)), took, host, "us")
			goal := atMost(4.5 / 5.2)
			if virtual {
				goal = atMost(10 / 5.2)
			}
			b.compare("  beside the two processes", took, limit, "us", goal)
			if !virtual {
				work[cpus] = worked
			}
		}
	}
	b.compare("kernel-bound work, 2 CPUs beside 1", work[2], work[1], "/s", atLeast(1.6))
	b.compare("kernel-bound work, 64 CPUs beside 2", work[64], work[2], "/s", atLeast(0.8))
	return nil
}

// callsOf is what a call takes on a board, in microseconds of the host's time, and how many
// pieces of work its CPUs, as far as there are so many, do in a second.
func (b *bench) callsOf(cpus int, virtual bool) (took, worked float64, err error) {
	const calls, pieces = 200_000, 8000
	r, err := b.start(virtual, 1, fmt.Sprintf("cpus = %d\nmemory = \"512M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n", cpus, b.root), "")
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	run := func(args ...string) (time.Duration, error) {
		begin := time.Now()
		wait, err := b.command(r, "b0", append([]string{"load"}, args...)...)
		if err != nil {
			return 0, err
		}
		out, err := wait()
		if err != nil || virtual { // the guest's clock is not the host's
			return time.Since(begin), err
		}
		ns, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
		return time.Duration(ns), err
	}
	d, err := run("call", fmt.Sprint(calls))
	took = micros(d, calls)
	if err != nil || virtual {
		return took, 0, err
	}
	if d, err = run("work", fmt.Sprint(min(cpus, 8)), fmt.Sprint(pieces)); err != nil {
		return 0, 0, err
	}
	return took, pieces / d.Seconds(), nil
}

// micros is how many microseconds each of so many took.
func micros(all time.Duration, n int) float64 {
	return float64(all.Nanoseconds()) / float64(n) / 1e3
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
