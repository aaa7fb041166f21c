package confine

import (
	"os"

	"golang.org/x/sys/unix"
)

// Host says which of the walls' parts this machine has; an error says why not.
type Host struct {
	Namespaces error
	Mounts     error // in them
	Landlock   int   // its version, 0 if there is none
	// Counted tells that processes are counted for each user namespace, so that guests
	// have a limit of their own.
	Counted  bool
	OOMScore error
}

// Look finds out.
func Look() Host {
	h := Host{Namespaces: namespaces(), Landlock: landlockVersion(), Counted: countsByNamespace()}
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
