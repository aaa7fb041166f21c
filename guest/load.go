package guest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Keep keeps a kernel of that process ID and the processes of its user space on these host
// CPUs, and those that it starts from now on.
func Keep(kernel int, cpus *unix.CPUSet) error {
	if err := unix.SchedSetaffinity(kernel, cpus); err != nil {
		return fmt.Errorf("keep process %d on a CPU: %w", kernel, err)
	}
	pids, err := children(kernel)
	for _, pid := range pids {
		_ = unix.SchedSetaffinity(pid, cpus) // it may have ended
	}
	return err
}

// UserLoad is that of the processes of a kernel's user space together that are on one of
// the host's CPUs, as far as they have not ended.
func UserLoad(kernel, cpu int) (sum Load) {
	pids, _ := children(kernel) // it may have ended
	for _, pid := range pids {
		if LastCPU(pid) != cpu {
			continue
		}
		if l, err := OpenLoad(pid); err == nil {
			now, _ := l.Read()
			sum.Ran += now.Ran
			sum.Waited += now.Waited
			l.Close()
		}
	}
	return sum
}

// CPUTime is how long a kernel of that process ID and the processes of its user
// space have run on the host, as far as they have not ended; 0 if there is none.
func CPUTime(pid int) (sum time.Duration) {
	if pid <= 0 {
		return 0
	}
	pids, _ := children(pid) // it may have ended
	for _, pid := range append(pids, pid) {
		if l, err := OpenLoad(pid); err == nil {
			now, _ := l.Read()
			sum += now.Ran
			l.Close()
		}
	}
	return sum
}

// children are the processes of a kernel's user space.
func children(pid int) (pids []int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // proc(5)
	if err != nil {
		return nil, fmt.Errorf("find the processes of a guest: %w", err)
	}
	for _, field := range bytes.Fields(text) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, fmt.Errorf("find the processes of a guest: %w", err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// LastCPU is the host CPU on which a process runs, or ran last; -1 if that is not known.
func LastCPU(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return -1
	}
	// The second field is a name in parentheses. Proc(5) counts from 1.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const processor = 39 - 3
	if len(fields) <= processor {
		return -1
	}
	cpu, err := strconv.Atoi(string(fields[processor]))
	if err != nil {
		return -1
	}
	return cpu
}

// Load is how long a thread has run, and how long it has waited for a CPU.
type Load struct{ Ran, Waited time.Duration }

// OpenLoad opens what the host knows of a thread's load (Linux
// Documentation/scheduler/sched-stats.rst). Read gives it; the file is the caller's to close.
func OpenLoad(tid int) (*LoadFile, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/schedstat", tid))
	if err != nil {
		return nil, fmt.Errorf("the host does not say how long threads wait: %w", err)
	}
	return &LoadFile{f}, nil
}

// LoadFile is a thread's schedstat.
type LoadFile struct{ f *os.File }

// Read is what the thread has run and waited in its life. It fails when the
// thread has ended.
func (l *LoadFile) Read() (Load, error) {
	var buf [128]byte
	n, err := unix.Pread(int(l.f.Fd()), buf[:], 0)
	if err != nil {
		return Load{}, err
	}
	var ran, waited int64
	if _, err := fmt.Sscan(string(buf[:n]), &ran, &waited); err != nil {
		return Load{}, fmt.Errorf("schedstat %q: %w", buf[:n], err)
	}
	return Load{time.Duration(ran), time.Duration(waited)}, nil
}

// Close closes the file.
func (l *LoadFile) Close() { l.f.Close() }
