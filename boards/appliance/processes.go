package appliance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Processes that an appliance takes, and threads, which count as such. Those of its
// boards' programs come on top: a board that cannot have one says so itself.
const (
	tasksProgram = 24 // of this program, and what it starts for moments
	tasksBoard   = 8  // its kernel, with a process for each of the first programs
	tasksReal    = 2  // more in real time: what drives it
)

// nearLimit is how far off a limit may be to count who is near it, which takes a while.
const nearLimit = 4096

// checkProcesses refuses what the user may not start: a program of Go's ends with a
// trace where it cannot have a thread.
func (r *Running) checkProcesses(boards int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		return fmt.Errorf("ask for the limit of processes: %w", err)
	}
	need := uint64(tasksProgram + boards*tasksBoard)
	if !r.opts.Virtual {
		need += uint64(boards * tasksReal)
	}
	if os.Getuid() == 0 || limit.Cur > need+nearLimit { // the limit is not root's (setrlimit(2))
		return nil
	}
	if there := tasks(os.Getuid()); need+there > limit.Cur {
		return fmt.Errorf("the appliance needs at least %d processes and threads; this user may have %d, and has %d: raise the limit (ulimit -u, or LimitNPROC of systemd)",
			need, limit.Cur, there)
	}
	return nil
}

// tasks counts a user's threads beside those of this program, which are in what it needs.
func tasks(user int) (n uint64) {
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return 0
	}
	self := fmt.Sprintf("/proc/%d/status", os.Getpid())
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || f == self { // it has ended
			continue
		}
		var mine bool
		for line := range bytes.Lines(text) {
			fields := bytes.Fields(line)
			switch {
			case len(fields) < 2:
			case string(fields[0]) == "Uid:":
				mine = string(fields[1]) == strconv.Itoa(user)
			case mine && string(fields[0]) == "Threads:":
				k, _ := strconv.ParseUint(string(fields[1]), 10, 32)
				n += k
			}
		}
	}
	return n
}
