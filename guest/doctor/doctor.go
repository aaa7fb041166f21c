// Package doctor finds what a machine lacks to run boards, before anything boots.
package doctor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"backplane/guest/confine"
	"backplane/guest/kernel"
	"backplane/simbus/gateway"

	"golang.org/x/sys/unix"
)

// Finding is one thing that was looked at.
type Finding struct {
	Name   string
	OK     bool
	Detail string // what was found
	Fix    string // what to do about it, if it is not OK
	Extra  bool   // boards run without it
}

// Check looks at everything.
func Check() []Finding {
	return slices.Concat([]Finding{
		result("walls around guests", "each has namespaces and a root folder of its own", confine.Possible(),
			"as root: sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 (and kernel.apparmor_restrict_unprivileged_userns=0 where there is AppArmor); in a container: let its profiles allow namespaces and mounts in them, as docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined does; or run boards with --unconfined, see docs/security.md"),
	}, walls(confine.Look()), []Finding{
		result("folder for guest memory", os.TempDir(), Folder(os.TempDir()), "set TMPDIR to a folder with space, on a file system that is not mounted noexec"),
		result("shared memory", "memfd_create works", memfd(), "a kernel with CONFIG_MEMFD_CREATE"),
		kernels(),
		result("tools that build a kernel", "all there", tools(), "run tools/packages, or as root: apt-get install gcc libc6-dev make flex bison bc xz-utils patch debian-archive-keyring"),
		extra(result("pings through gateways", "ping sockets for ordinary users", gateway.CanPing(), "as root: sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"")),
		extra(result("tap interfaces", "/dev/net/tun can be opened", gateway.CanTap(), "as root: modprobe tun, and let users open /dev/net/tun")),
		{Name: "gateways", OK: true, Detail: "only if an appliance has one: then boards reach what this machine reaches, private networks too, but not its own services (docs/security.md)"},
	})
}

// walls are the parts of the walls that this machine has, most of which stand without others.
func walls(h confine.Host) []Finding {
	var landlock error
	if h.Landlock == 0 {
		landlock = errors.New("this kernel has none")
	}
	list := []Finding{
		result("  namespaces", "user, mount, PID, network, IPC, UTS, cgroup", h.Namespaces, "see above: without them guests see the host's processes and networks"),
		result("  mounts in them", "a root folder with only the board's files", h.Mounts, "see above: without them guests can write to their folder, behind Landlock if this machine has it"),
		result("  Landlock", fmt.Sprintf("version %d, for --unconfined", h.Landlock), landlock, "a kernel with CONFIG_SECURITY_LANDLOCK and landlock among its lsm=: it is for --unconfined only"),
		result("  limit of processes", "counted for each guest", h.Counted, "Linux 5.14, and a user who is not the host's root: otherwise a guest can start as many as the user may"),
		result("  first for the OOM killer", "guests have a higher oom_score_adj", h.OOMScore, "a /proc in which a process can write its own oom_score_adj"),
	}
	for i := range list {
		list[i].Extra = true
	}
	return append(list, Finding{Name: "  limit of all together", OK: true,
		Detail: confine.Together() + ": that of a cgroup in which this program is started, as by systemd-run --user --scope -p MemoryMax=8G -p TasksMax=8192 (docs/security.md)"})
}

func result(name, detail string, err error, fix string) Finding {
	if err != nil {
		return Finding{Name: name, Detail: err.Error(), Fix: fix}
	}
	return Finding{Name: name, OK: true, Detail: detail}
}

func extra(f Finding) Finding {
	f.Extra = true
	return f
}

func memfd() error {
	fd, err := unix.MemfdCreate("doctor", unix.MFD_CLOEXEC)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func kernels() Finding {
	f := Finding{Name: "guest kernels", OK: true}
	for _, flavour := range []kernel.Flavour{kernel.Virtual, kernel.SMP} {
		b := kernel.Builder{Flavour: flavour}
		state := "built"
		_, ok, err := b.Lookup()
		if err != nil {
			return result(f.Name, "", err, "set XDG_CACHE_HOME or HOME to a folder of this user")
		}
		if !ok {
			state, f.OK = "not built", false
		}
		f.Detail += fmt.Sprintf("%s %s; ", flavour, state)
	}
	f.Detail = strings.TrimSuffix(f.Detail, "; ")
	if !f.OK {
		f.Fix = "backplane kernel build --flavour all (the first run that needs one builds it as well)"
	}
	return f
}

func tools() error {
	var missing []string
	for _, t := range []string{"gcc", "make", "flex", "bison", "bc", "patch", "xz", "tar", "dpkg-deb"} {
		if _, err := exec.LookPath(t); err != nil {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %s", strings.Join(missing, ", "))
	}
	return nil
}

// Folder checks that guest memory can be in a folder: a file that can be
// written, and mapped executable, as User Mode Linux does with all of it.
func Folder(dir string) error {
	if !utf8.ValidString(dir) {
		return fmt.Errorf("%q is not UTF-8 text; the paths of a guest's files must be", dir)
	}
	f, err := probe(dir)
	if err != nil {
		return fmt.Errorf("cannot create a file in %s: %w", dir, err)
	}
	defer f.Close()
	page := os.Getpagesize()
	if _, err := f.Write(make([]byte, page)); err != nil {
		return fmt.Errorf("cannot write a file in %s: %w", dir, err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, page, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_SHARED)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%s is mounted noexec, and guest memory there must be executable", dir)
	}
	if err != nil {
		return fmt.Errorf("cannot map a file in %s: %w", dir, err)
	}
	return unix.Munmap(m)
}

// probe makes a file without a name: nothing of it stays, even if this program is
// killed now. Where a file system has no such files it has its name for a moment.
func probe(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir), nil
	}
	if err != unix.EOPNOTSUPP && err != unix.EISDIR { // open(2): the second is what kernels say that know no O_TMPFILE
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".backplane-doctor-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	return f, err
}

// Costs of a board on the host, in bytes: what the kernel and its processes
// take, and the page array, a part of the board's memory that is always used.
const (
	boardCost     = 16 << 20
	pageArrayPart = 64 // bytes a page of 4096, so 1/64
)

// Memory checks, before anything boots, that boards of those sizes can run
// here. User Mode Linux would give a board that it cannot map less memory, in
// silence. dir is where guest memory is.
func Memory(dir string, boards []uint64) error {
	need := uint64(0)
	for _, size := range boards {
		if err := mappable(dir, size); err != nil {
			return err
		}
		need += boardCost + size/pageArrayPart
	}
	if free, ok := available(); ok && need > free {
		return fmt.Errorf("%d boards need at least %d MiB of memory before they do anything, and this machine has %d MiB to spare",
			len(boards), need>>20, free>>20)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Bavail*uint64(st.Bsize) < need {
		return fmt.Errorf("%s has %d MiB of space left, and %d boards need at least %d MiB there: set TMPDIR to another place",
			dir, st.Bavail*uint64(st.Bsize)>>20, len(boards), need>>20)
	}
	return nil
}

// Files checks that so many files can be made in a folder. Some file systems do not
// count them.
func Files(dir string, need uint64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Files > 0 && st.Ffree < need {
		return fmt.Errorf("%s has room for %d more files (inodes), and the appliance needs %d there: set TMPDIR to another place", dir, st.Ffree, need)
	}
	return nil
}

// mappable tries to map a sparse file of the board's size, as its kernel will.
func mappable(dir string, size uint64) error {
	f, err := probe(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		return fmt.Errorf("a board of %d MiB is more than a file in %s can hold: %w", size>>20, filepath.Clean(dir), err)
	}
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(size), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC,
		unix.MAP_SHARED|unix.MAP_NORESERVE, f.Fd(), 0)
	if errno != 0 {
		return fmt.Errorf("a board of %d MiB is more than can be mapped here: %w", size>>20, errno)
	}
	unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(size), 0)
	return nil
}

// available is MemAvailable of the host.
func available() (bytes uint64, ok bool) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	return parseAvailable(string(b))
}

func parseAvailable(meminfo string) (bytes uint64, ok bool) {
	for _, line := range strings.Split(meminfo, "\n") {
		if rest, found := strings.CutPrefix(line, "MemAvailable:"); found {
			kb, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
