package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// scale measures what a board takes of its host to boot and to be there, beside a machine of
// QEMU's, and how soon many boards, and many CPUs of one, are up.
func (b *bench) scale() error {
	for _, part := range []func() error{b.besideQEMU, b.crowd, b.manyCPUs} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// plainBoard is a board that has nothing but its CPU and memory.
const plainBoard = "memory = \"64M\"\n"

// besideQEMU boots boards and QEMU's machines in turns, and looks at the memory of both when
// they are at rest.
func (b *bench) besideQEMU() error {
	const rounds, crowd = 5, 10
	q, err := b.newQEMU()
	if err != nil {
		return err
	}
	boots := make(map[bool][]float64)
	var theirs []float64
	for range rounds {
		for _, virtual := range []bool{true, false} {
			took, err := b.bootOf(virtual, 1, plainBoard)
			if err != nil {
				return err
			}
			boots[virtual] = append(boots[virtual], took)
		}
		m, took, err := q.boot(b.ctx)
		if err != nil {
			return err
		}
		m.end()
		theirs = append(theirs, took.Seconds())
	}
	for _, virtual := range []bool{true, false} {
		b.compare("boot of a 64 MiB board beside QEMU's machine, "+clockName(virtual), median(boots[virtual]), median(theirs), "s", atMost(1./20))
	}
	theirMemory, err := q.memory(b.ctx)
	if err != nil {
		return err
	}
	for _, virtual := range []bool{true, false} {
		before, err := memoryOf(os.Getpid())
		if err != nil {
			return err
		}
		r, err := b.start(virtual, crowd, plainBoard, "")
		if err != nil {
			return err
		}
		_, err = r.Advance(b.ctx, r.Now().Add(settle), nil)
		after, err2 := memoryOf(os.Getpid())
		r.Close()
		if err := errors.Join(err, err2); err != nil {
			return fmt.Errorf("memory of boards at rest: %w", err)
		}
		b.compare(fmt.Sprintf("memory of an idle board, one of %d, beside QEMU's, %s", crowd, clockName(virtual)),
			(after-before)/crowd, theirMemory, "MiB", atMost(1./4))
	}
	return nil
}

// settle is how long a machine is left alone before its memory counts.
const settle = 3 * time.Second

// bootOf is how many seconds of the host's time it takes until n boards are up.
func (b *bench) bootOf(virtual bool, n int, board string) (seconds float64, err error) {
	begin := time.Now()
	r, err := b.start(virtual, n, board, "")
	if err != nil {
		return 0, err
	}
	return time.Since(begin).Seconds(), r.Close()
}

// crowd starts 100 boards. The peer is the aim.
func (b *bench) crowd() error {
	for _, virtual := range []bool{true, false} {
		took, err := b.bootOf(virtual, 100, plainBoard)
		if err != nil {
			return err
		}
		b.compare("100 boards of 64 MiB are up (peer: the aim), "+clockName(virtual), took, 10, "s", atMost(1))
	}
	return nil
}

// manyCPUs boots a board with 64 CPUs. The peer is the aim.
func (b *bench) manyCPUs() error {
	var times []float64
	for range 5 {
		took, err := b.bootOf(false, 1, "cpus = 64\nmemory = \"512M\"\n")
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	b.compare("boot of a board of 64 CPUs (peer: the aim)", median(times), 2, "s", atMost(1))
	return nil
}

// memoryOf is what a process and all below it have of the host's memory, in MiB: what
// several share counts for each in part (Pss of proc_pid_smaps(5)).
func memoryOf(pid int) (mib float64, err error) {
	pids, err := family(pid)
	if err != nil {
		return 0, err
	}
	for _, p := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		var kib float64
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			return 0, fmt.Errorf("memory of process %d: %w", p, err)
		}
		mib += kib / 1024
	}
	return mib, nil
}

// family is a process and all below it.
func family(pid int) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, err
		}
		children[parent] = append(children[parent], child)
	}
	pids = []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}
