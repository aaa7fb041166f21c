package doctor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"backplane/guest"
	"backplane/guest/confine"

	"golang.org/x/sys/unix"
)

func inRAM() error {
	f, err := guest.RAM.Open()
	if err != nil {
		return err
	}
	return f.Close()
}

// inFiles tells where guest memory is that is in files, for boards larger than the host.
func inFiles() Finding {
	dir, err := guest.MemoryFolder()
	if err == nil {
		err = Mappable(dir)
	}
	return extra(result("guest memory in files", dir, err, "set TMPDIR to a folder on a disk, on a file system that is not mounted noexec"))
}

// Mappable checks that guest memory can be in a folder's files: mapped executable, as User
// Mode Linux does with all of it.
func Mappable(dir string) error {
	f, err := written(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_SHARED)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%s is mounted noexec, and guest memory there must be executable", dir)
	}
	if err != nil {
		return fmt.Errorf("cannot map a file in %s: %w", dir, err)
	}
	return unix.Munmap(m)
}

// Costs of a board on the host, in bytes: what the kernel and its processes
// take, and the page array, a part of the board's memory that is always used.
const (
	boardCost     = 16 << 20
	pageArrayPart = 64 // bytes a page of 4096, so 1/64
)

// Need is what boards take of the host, in bytes.
type Need struct {
	Boards int
	// Arrays are the page arrays of memory in RAM and in files, which boards write to before they do
	// anything, and All is what they can come to use: memory, and what they cost beside it.
	Arrays, All struct{ RAM, Files uint64 }
}

// Add counts a board.
func (n *Need) Add(memory uint64, backing guest.Backing) {
	n.Boards++
	n.All.RAM += boardCost
	if backing == guest.File {
		n.Arrays.Files += memory / pageArrayPart
		n.All.Files += memory
		return
	}
	n.Arrays.RAM += memory / pageArrayPart
	n.All.RAM += memory
}

// Check refuses, before anything boots, what this machine cannot hold even at first, with the sums. dir is where
// memory in files is. excess says in words what it cannot hold if boards come to use all that
// they can; it is empty if it can.
func (n *Need) Check(dir string) (excess string, err error) {
	costs := uint64(n.Boards) * boardCost
	if free, ok := Available(); ok {
		if need := costs + n.Arrays.RAM; need > free {
			return "", fmt.Errorf("%d boards need at least %d MiB of memory before they do anything, %d for their kernels and %d for page arrays (a 64th of their memory), and this machine has %d MiB to spare",
				n.Boards, need>>20, costs>>20, n.Arrays.RAM>>20, free>>20)
		}
		if n.All.RAM > free {
			excess = fmt.Sprintf("%d MiB of memory, and this machine has %d MiB to spare", n.All.RAM>>20, free>>20)
		}
	}
	var st unix.Statfs_t
	if n.All.Files == 0 || unix.Statfs(dir, &st) != nil {
		return excess, nil
	}
	room := st.Bavail * uint64(st.Bsize)
	if n.Arrays.Files > room {
		return "", fmt.Errorf("%s has %d MiB of space left, and boards with memory in files need at least %d MiB there for page arrays (a 64th of their memory): set TMPDIR to another place",
			dir, room>>20, n.Arrays.Files>>20)
	}
	if n.All.Files > room {
		if excess != "" {
			excess += ", and "
		}
		excess += fmt.Sprintf("%d MiB in %s, which has %d MiB left", n.All.Files>>20, dir, room>>20)
	}
	return excess, nil
}

// Holds tries to map memory of that size, as a board's kernel will: User Mode Linux would give
// a board that it cannot map less memory, in silence.
func Holds(size uint64, backing guest.Backing) error {
	f, err := backing.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		return fmt.Errorf("a board of %d MiB is more than a file here can hold: %w", size>>20, err)
	}
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(size), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC,
		unix.MAP_SHARED|unix.MAP_NORESERVE, f.Fd(), 0)
	if errno != 0 {
		return fmt.Errorf("a board of %d MiB is more than can be mapped here: %w", size>>20, errno)
	}
	unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(size), 0)
	return nil
}

// Available is how much memory the host has to spare, or lets this program have if that is less.
func Available() (bytes uint64, ok bool) { return host("MemAvailable:") }

// Total is how much memory the host has, or lets this program have if that is less.
func Total() (bytes uint64, ok bool) { return host("MemTotal:") }

func host(line string) (bytes uint64, ok bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	bytes, ok = meminfo(string(text), line)
	if limit, limited := confine.MemoryLimit(); limited && (!ok || limit < bytes) {
		return limit, true
	}
	return bytes, ok
}

// meminfo finds a line of that file (proc_meminfo(5)).
func meminfo(text, name string) (bytes uint64, ok bool) {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, name); found {
			kb, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
