package confine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Together says in words what bounds all guests together: "memory 8192 MiB, 8192 processes".
// It is what the cgroups have in which this program was started, since it makes none; "none"
// if they have no limit of either.
func Together() string { return together(cgroups, ownGroups()) }

// MemoryLimit is how many bytes of memory those cgroups let this program and all guests
// have together, ok if there is a limit.
func MemoryLimit() (bytes uint64, ok bool) {
	memory, _ := limits(cgroups, ownGroups())
	return memory, memory < unlimited
}

// cgroups is where they are mounted.
const cgroups = "/sys/fs/cgroup"

// ownGroups are those of this program, none if the host does not say.
func ownGroups() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	return string(text)
}

// unlimited is what a cgroup of version 1 has at least that has no limit: the largest
// number of pages (Linux mm/page_counter.c).
const unlimited = 1 << 60

// limits reads those of cgroups, lines of /proc/self/cgroup (cgroups(7)), and of all above
// them; root is where cgroups are mounted.
func limits(root, groups string) (memory, processes uint64) {
	memory, processes = unlimited, unlimited
	for line := range strings.Lines(groups) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		dir := root // of version 2
		if controllers != "" {
			dir = filepath.Join(root, controllers)
		}
		for at := filepath.Clean("/" + path); ; at = filepath.Dir(at) {
			group := filepath.Join(dir, at)
			memory = min(memory, limitIn(group, "memory.max"), limitIn(group, "memory.limit_in_bytes"))
			processes = min(processes, limitIn(group, "pids.max"))
			if at == "/" {
				break
			}
		}
	}
	return memory, processes
}

func together(root, groups string) string {
	memory, processes := limits(root, groups)
	var list []string
	if memory < unlimited {
		list = append(list, "memory "+strconv.FormatUint(memory>>20, 10)+" MiB")
	}
	if processes < unlimited {
		list = append(list, strconv.FormatUint(processes, 10)+" processes")
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// limitIn is the number in a cgroup's file; there is no such file, or "max" in it, where
// there is no limit.
func limitIn(group, file string) uint64 {
	text, err := os.ReadFile(filepath.Join(group, file))
	if err != nil {
		return unlimited
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return unlimited
	}
	return n
}
