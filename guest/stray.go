package guest

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// strayRounds bounds how often strays are looked for: each may have made others
// meanwhile. What is left then ends with the run folder.
const strayRounds = 100

// endStrays ends what works in a board's run folder once its kernel has ended, which only
// matters where there is no PID namespace. They cannot leave it: chdir(2) is not among the
// system calls that a guest has.
func endStrays(dir string) {
	for range strayRounds {
		some := false
		list, err := os.ReadDir("/proc")
		if err != nil {
			return
		}
		for _, e := range list {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			if cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")); err == nil && cwd == dir && unix.Kill(pid, unix.SIGKILL) == nil {
				some = true
			}
		}
		if !some {
			return
		}
	}
}
