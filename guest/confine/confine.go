// Package confine puts walls around a program before it is executed: a root folder
// with nothing in it but what it needs, namespaces, no capabilities, limits, and a
// filter of the host's system calls. None of it needs root.
//
// The steps have to be taken by the process itself, after clone(2) and before
// execve(2), so this program starts itself a second time for them: see enter.go.
package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Program is what is to be executed, and what it is to have.
type Program struct {
	Path  string   // the program, on the host
	Name  string   // what it sees as its argv[0]
	Args  []string // without the name
	Env   []string
	Dir   string     // the host's folder that it works in and can only read, [WorkDir] to it
	Files []*os.File // open ones: it has them as [FirstFile] and so on
	Guard *os.File   // held open until the program is executed, may be nil

	Output io.Writer // stdout and stderr
	Limits Limits
	Ptrace bool  // it may trace its own processes
	Temp   int64 // bytes of files that it can make in [TempDir] and map as programs; 0: few, and none

	// Unconfined takes what walls can be had on a host that refuses some: no root of
	// its own, but Landlock, and namespaces if they are not what it refuses.
	Unconfined bool
}

// Limits are those of setrlimit(2) that the program and each of its processes have.
type Limits struct {
	Processes uint64 // of all of them together; 0: the host's
	Signals   uint64 // that wait, and timers, of all of them together; 0: the host's
	Files     uint64 // open ones, of each; 0: the host's
	FileSize  uint64 // bytes
	Data      uint64 // bytes of memory that is not a file's, of each
	Addresses uint64 // bytes of address space, of each; 0: the host's
}

// Places in a confined program's own root.
const (
	WorkDir  = "/board"
	TempDir  = "/tmp" // small, and goes with the program
	execPath = "/linux"
)

// Descriptors that the second start of this program has beside the standard ones.
const (
	gateFD   = 3 + iota // reports a hang-up when the first one has gone
	statusFD            // takes the error's text, and ends when the program is executed
	guardFD             // Program.Guard
	// FirstFile is the number of the first of Program.Files.
	FirstFile
)

// Nobody is the user id that a program has that root starts. By convention it owns
// nothing.
const Nobody = 65534

// Drops tells whether programs become [Nobody]: root starts them, and there is such a
// user. In a user namespace that has user 0 only, root has no privileges on the host, unless
// its user 0 is the host's.
var Drops = sync.OnceValue(func() bool {
	return os.Getuid() == 0 && HasNobody()
})

// HasNobody tells whether this user namespace has a user and a group [Nobody]. In one that
// has not, files of all users outside show that number.
var HasNobody = sync.OnceValue(func() bool {
	return mapped("/proc/self/uid_map") && mapped("/proc/self/gid_map")
})

// mapped tells whether Nobody is one of the ids of a user namespace (user_namespaces(7)).
func mapped(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return true // a host without user namespaces has all ids
	}
	for line := range strings.Lines(string(text)) {
		var first, outside, n uint64
		if _, err := fmt.Sscan(line, &first, &outside, &n); err == nil && first <= Nobody && Nobody-first < n {
			return true
		}
	}
	return false
}

// ErrRefused says that the host lets this user have no namespaces, or mount nothing
// in them.
var ErrRefused = errors.New("this machine refuses walls around guests")

// spec is what the second start of this program is told, as JSON in argv[1]. One
// without Exec ends where it would execute it.
type spec struct {
	Exec   string
	Name   string
	Args   []string
	Env    []string
	Dir    string
	Root   string // the host's folder over which the new root is mounted, "" for none
	Temp   int64  // bytes of files that can be programs in TempDir, 0: few that cannot
	Binds  []bind
	Limits []limit
	Filter string // of the host's system calls
	Files  int    // how many it was given
	User   int    // to become, 0: stay who it is
}

// bind makes a file or a folder of the host one of the new root.
type bind struct {
	From, To string
	Exec     bool // programs and libraries
}

type limit struct {
	Resource int
	Value    uint64
}

// entry is argv[0] of the second start.
const entry = "backplane-guest"

// Command makes the command that starts the program; its process becomes the
// program. start has to be called with it once it is started, however that ended: it
// waits until the program is executed, or says why it is not.
func Command(p Program) (cmd *exec.Cmd, started func(error) error, err error) {
	for _, path := range []string{p.Path, p.Dir} {
		if !utf8.ValidString(path) { // JSON carries text only
			return nil, nil, fmt.Errorf("%q is not UTF-8 text; the paths of a guest's files must be", path)
		}
	}
	s := spec{Name: p.Name, Args: p.Args, Env: p.Env, Limits: p.Limits.list(), Files: len(p.Files), Temp: p.Temp, Filter: filter(&p)}
	if p.Unconfined {
		s.Exec, s.Dir = p.Path, p.Dir
		s.Binds = []bind{{From: p.Dir}, {From: p.Path, Exec: true}}
	} else {
		s.Exec, s.Dir, s.Root = execPath, WorkDir, p.Dir
		s.Binds = []bind{{From: p.Dir, To: WorkDir}, {From: p.Path, To: execPath, Exec: true}, {From: "/proc/cpuinfo", To: "/proc/cpuinfo"}}
	}
	if Drops() {
		s.User = Nobody
	}
	libraries, err := libraries(p.Path)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range libraries {
		s.Binds = append(s.Binds, bind{From: l, To: l, Exec: true})
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, nil, err
	}
	gate, err := gate()
	if err != nil {
		return nil, nil, err
	}
	status, result, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	guard := p.Guard
	if guard == nil {
		guard = gate
	}
	cmd = exec.Command("/proc/self/exe", string(text))
	cmd.Args[0] = entry
	cmd.Env = []string{"GOMAXPROCS=1", "GOGC=off", "TZ="} // the last, so that it reads no file of the time zone
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	cmd.ExtraFiles = append([]*os.File{gate, result, guard}, p.Files...)
	cmd.SysProcAttr = attributes(!p.Unconfined || namespaces() == nil)
	started = func(err error) error {
		result.Close()
		defer status.Close()
		if err != nil {
			return refusal(err)
		}
		return outcome(status)
	}
	return cmd, started, nil
}

// refusal makes an error of clone(2) ErrRefused if the host's rules are the reason.
func refusal(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) {
		return fmt.Errorf("%w: no user namespace is available (%w)", ErrRefused, err)
	}
	return err
}

// refused is before the text of an error that is the host's rules'.
const refused = "refused: "

// outcome is what the second start of this program says before it becomes the program.
func outcome(status io.Reader) error {
	text, err := io.ReadAll(status)
	switch what, rules := strings.CutPrefix(string(text), refused); {
	case rules:
		return fmt.Errorf("%w: %s", ErrRefused, what)
	case what != "":
		return errors.New(what)
	}
	return err
}

// attributes are those of the process. It ends with the thread that starts it.
func attributes(namespaces bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Pdeathsig: unix.SIGKILL,
		Setsid:    true, // a Ctrl-C at the terminal is not for it
	}
	if !namespaces {
		return a
	}
	a.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	if Drops() {
		a.UidMappings = append(a.UidMappings, syscall.SysProcIDMap{ContainerID: Nobody, HostID: Nobody, Size: 1})
		a.GidMappings = append(a.GidMappings, syscall.SysProcIDMap{ContainerID: Nobody, HostID: Nobody, Size: 1})
		a.GidMappingsEnableSetgroups = true // to have none
	}
	return a
}

// Possible tries whether the host lets this user put up all walls. Where TMPDIR is no
// folder, which is another fault, it tries them elsewhere.
func Possible() error {
	root := os.TempDir()
	if info, err := os.Stat(root); err != nil || !info.IsDir() || !utf8.ValidString(root) {
		root = "/dev"
	}
	return try(spec{Root: root, Binds: []bind{{From: "/proc/cpuinfo", To: "/proc/cpuinfo"}}})
}

// namespaces tells whether there are any to be had.
var namespaces = sync.OnceValue(func() error { return try(spec{}) })

// try starts this program a second time as for a program, of which there is none.
func try(s spec) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	gate, err := gate()
	if err != nil {
		return err
	}
	status, result, err := os.Pipe()
	if err != nil {
		return err
	}
	defer status.Close()
	cmd := exec.Command("/proc/self/exe", string(text))
	cmd.Args[0] = entry
	cmd.ExtraFiles = []*os.File{gate, result, gate}
	cmd.SysProcAttr = attributes(true)
	err = cmd.Start()
	result.Close()
	if err != nil {
		return refusal(err)
	}
	defer func() { _ = cmd.Wait() }()
	return outcome(status)
}

// stackSize is what libc gives each thread for its stack, in bytes, whatever the limit was
// with which this program was started.
const stackSize = 8 << 20

func (l Limits) list() []limit {
	list := []limit{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_STACK, stackSize},
		{unix.RLIMIT_FSIZE, l.FileSize},
		{unix.RLIMIT_DATA, l.Data},
	}
	if l.Addresses != 0 {
		list = append(list, limit{unix.RLIMIT_AS, l.Addresses})
	}
	if l.Files != 0 {
		list = append(list, limit{unix.RLIMIT_NOFILE, l.Files})
	}
	if l.Processes != 0 && countsByNamespace() {
		list = append(list, limit{unix.RLIMIT_NPROC, l.Processes})
	}
	if l.Signals != 0 && countsByNamespace() {
		list = append(list, limit{unix.RLIMIT_SIGPENDING, l.Signals})
	}
	return list
}

// countsByNamespace tells whether the host counts processes, and signals that wait, for each
// user namespace: before Linux 5.14 (commits 21d1c5e386bc, d64696905554) it counted all that a user has.
var countsByNamespace = sync.OnceValue(func() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return err == nil && (major > 5 || major == 5 && minor >= 14)
})

// gate is the reading end of a pipe whose other end stays open as long as this
// program lives, and which nobody else has.
var gate = sync.OnceValues(func() (*os.File, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(ends[0]), "gate"), nil // nobody closes the other one
})
