package confine

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Host says which of the walls' parts this machine has; an error says why not.
type Host struct {
	Namespaces error
	Mounts     error // in them
	Landlock   int   // its version, 0 if there is none
	// Counted says why processes are not counted for each guest, so that these have no
	// limit of their own.
	Counted  error
	OOMScore error
}

// Look finds out.
func Look() Host {
	h := Host{Namespaces: namespaces(), Landlock: landlockVersion(), Counted: counted()}
	if h.Mounts = h.Namespaces; h.Mounts == nil {
		h.Mounts = Possible()
	}
	score, err := os.ReadFile(oomFile)
	if err == nil {
		err = os.WriteFile(oomFile, score, 0) // as it is
	}
	h.OOMScore = err
	return h
}

func counted() error {
	if !countsByNamespace() {
		return errors.New("this kernel counts all processes of a user together")
	}
	if text, err := os.ReadFile("/proc/self/uid_map"); err == nil && os.Getuid() == 0 && !Drops() && hostsRoot(string(text)) {
		return errors.New("root of this user namespace is the host's root, to whom no process limit applies")
	}
	return nil
}

// hostsRoot tells, by its map, whether user 0 of a user namespace is the host's, to which
// RLIMIT_NPROC does not apply (Linux kernel/fork.c, copy_process: INIT_USER). A namespace in
// another one cannot tell what that one's root is.
func hostsRoot(uidMap string) bool {
	for line := range strings.Lines(uidMap) {
		var first, outside, n uint64
		if _, err := fmt.Sscan(line, &first, &outside, &n); err == nil && first == 0 && outside == 0 && n > 0 {
			return true
		}
	}
	return false
}

// oomFile has how much likelier than others a process is to be ended by a host that has
// no memory left (proc(5)).
const oomFile = "/proc/self/oom_score_adj"

// landlockVersion is that of the host's kernel, 0 if it has none.
func landlockVersion() int {
	version, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}
