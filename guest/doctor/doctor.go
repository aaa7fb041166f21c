// Package doctor finds what a machine lacks to run boards, before anything boots.
package doctor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
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
		result("folder for boards' files", os.TempDir(), Folder(os.TempDir()), "set TMPDIR to a folder that can be written to"),
		result("guest memory in RAM", "memfd_create works", inRAM(), "a kernel with CONFIG_MEMFD_CREATE"),
		inFiles(),
		kernels(),
		result("tools that build a kernel", "all there", tools(), "run tools/packages, or as root: apt-get install gcc libc6-dev make flex bison bc xz-utils patch debian-archive-keyring"),
		extra(result("time stamp counter", "RDTSC can be kept from programs", Counter(), "another machine, or another hypervisor: here programs on boards that execute RDTSC see this machine's counter in virtual time too, and what they do by it is not repeatable")),
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

// Folder checks that boards' files can be in a folder.
func Folder(dir string) error {
	f, err := written(dir)
	if err != nil {
		return err
	}
	return f.Close()
}

// written is a file in a folder, with a page in it.
func written(dir string) (*os.File, error) {
	if !utf8.ValidString(dir) {
		return nil, fmt.Errorf("%q is not UTF-8 text; the paths of a guest's files must be", dir)
	}
	f, err := probe(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot create a file in %s: %w", dir, err)
	}
	if _, err := f.Write(make([]byte, os.Getpagesize())); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write a file in %s: %w", dir, err)
	}
	return f, nil
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

// Files checks that so many files can be made in a folder. Some file systems do not
// count them.
func Files(dir string, need uint64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Files > 0 && st.Ffree < need {
		return fmt.Errorf("%s has room for %d more files (inodes), and the appliance needs %d there: set TMPDIR to another place", dir, st.Ffree, need)
	}
	return nil
}
