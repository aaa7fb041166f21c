package tests

import (
	"context"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// TestBoardsKeepToACPU: in real time each board is kept on one of the host's CPUs,
// with the processes of its user space, until strangers want that CPU too.
func TestBoardsKeepToACPU(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 {
		t.Skip("this machine has one CPU: there is nothing to choose")
	}
	app := guesttest.Run(t, pair(guesttest.Rootfs(t), ""), guesttest.Options{Real: true, Seed: 1})
	pid, err := app.KernelPID("b1")
	if err != nil {
		t.Fatal(err)
	}
	cpus := func(pid int) (set unix.CPUSet) {
		if err := unix.SchedGetaffinity(pid, &set); err != nil {
			t.Fatalf("process %d: %v", pid, err)
		}
		return set
	}
	until := func(what string, done func() bool) {
		for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute; the kernel may use CPUs %v of %v", what, cpus(pid), all)
			}
		}
	}
	// A machine with other things to do may have freed it already.
	until("kept on a CPU", func() bool { one := cpus(pid); return one.Count() == 1 })
	app.StartCommand("b1", "/bin/sh", "-c", "while true; do read line < /proc/stat; done")
	kept := cpus(pid)
	cpu := 0
	for !kept.IsSet(cpu) {
		cpu++
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		hog := exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(cpu), "sh", "-c", "while :; do :; done")
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = hog.Wait() }()
	}
	defer cancel()
	until("free of strangers", func() bool { now := cpus(pid); return now != kept })
	if out := app.Do("b2", "/bin/echo", "alive"); out != "alive\n" {
		t.Errorf("the other board says %q", out)
	}
}
