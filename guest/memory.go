package guest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Backing is what a guest's memory is in on the host. The host gives pages only to what the
// guest has written to, in either.
type Backing string

// Backings of memory.
const (
	RAM  Backing = "ram"  // the host's memory: a memfd
	File Backing = "file" // a file without a name on a disk, to which the host moves what is not in use
)

// MemoryFolder is where memory is that is in files: TMPDIR, or what else is on a disk if
// that is in memory itself.
func MemoryFolder() (string, error) {
	folders := []string{os.TempDir(), "/var/tmp"}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, cache)
	}
	for _, dir := range folders {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err == nil && st.Type != unix.TMPFS_MAGIC && st.Type != unix.RAMFS_MAGIC {
			return filepath.Clean(dir), nil
		}
	}
	return "", fmt.Errorf("boards' memory is to be in files, and none of %q is on a disk: set TMPDIR to a folder that is", folders)
}

// Open makes a file for memory, as long as 0 bytes: it goes with its last user.
func (b Backing) Open() (*os.File, error) {
	if b != File {
		return memfd("memory", 0)
	}
	dir, err := MemoryFolder()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "memory"), nil
	}
	if err != unix.EOPNOTSUPP && err != unix.EISDIR { // open(2): the second is what kernels say that know no O_TMPFILE
		return nil, &os.PathError{Op: "make a file in", Path: dir, Err: err}
	}
	f, err := os.CreateTemp(dir, ".backplane-memory-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	return f, err
}

// exhausted says what SIGBUS of a guest means.
func (b Backing) exhausted() string {
	if b != File {
		return "this machine has no memory left for the board's"
	}
	dir, err := MemoryFolder()
	if err != nil {
		dir = "its file system"
	}
	return dir + " likely just ran out of space for the board's memory"
}

// oomKills is how many processes the host has ended since it had no memory left (proc_vmstat(5)).
func oomKills() (n uint64) {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if count, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			n, _ = strconv.ParseUint(string(bytes.TrimSpace(count)), 10, 64)
		}
	}
	return n
}
