package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The second start of this program ends here: nothing of it runs but this, and what
// the packages that this one imports do when they are initialised.
func init() {
	if len(os.Args) == 0 || os.Args[0] != entry {
		return
	}
	runtime.LockOSThread() // capabilities, the filter and others are a thread's
	status := os.NewFile(statusFD, "status")
	var s spec
	err := errors.New("only package confine may start it")
	if len(os.Args) == 2 {
		err = json.Unmarshal([]byte(os.Args[1]), &s)
	}
	if err == nil {
		err = s.enter() // does not return if all is well
	}
	if err != nil {
		fmt.Fprint(status, err)
	}
	os.Exit(statusFailed)
}

// statusFailed is the second start's exit status.
const statusFailed = 125

// enter puts the walls up, and becomes the program.
func (s *spec) enter() error {
	unix.Umask(0o022) // of whoever started this, it may be one with which nobody else finds a way through the new root
	for _, fd := range []int{gateFD, statusFD, guardFD} {
		unix.CloseOnExec(fd)
	}
	if err := closeRest(FirstFile + s.Files); err != nil {
		return fmt.Errorf("close inherited file descriptors: %w", err)
	}
	_ = os.WriteFile(oomFile, []byte(strconv.Itoa(oomScore)), 0) // without it, it is as likely as others
	if err := s.settle(); err != nil {
		return err
	}
	program, err := s.open()
	if err != nil {
		return err
	}
	if err := s.renounce(); err != nil {
		return err
	}
	// The kernel forgets this when a process becomes another user.
	if err := prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)); err != nil {
		return fmt.Errorf("set the parent-death signal: %w", err)
	}
	if gone() {
		os.Exit(statusFailed) // nobody reads what it would say
	}
	if s.Exec == "" {
		return nil
	}
	return s.execute(program)
}

// open opens the folder from which the program is executed, or the program: in the
// host's root, the user that it is going to be may not find the way to it.
func (s *spec) open() (fd int, err error) {
	path := s.Exec
	if s.Root != "" || s.Exec == "" {
		path = "/"
	}
	fd, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}

// addrNoRandomize is a process's address space that is the same each time (Linux
// include/uapi/linux/personality.h).
const addrNoRandomize = 0x0040000

// brkGap is how far from the end of a program its heap can begin where addresses stay
// randomised, as in containers that refuse personality(2). User Mode Linux then makes its
// memory's file larger by that, with nothing in it (Linux arch/um/kernel/um_arch.c).
const brkGap = 2 << 30

// closeRest has all descriptors from first on closed when the program is executed:
// whoever started this program may have left it some.
func closeRest(first int) error {
	err := unix.CloseRange(uint(first), 1<<32-1, unix.CLOSE_RANGE_CLOEXEC)
	if err != unix.ENOSYS && err != unix.EINVAL { // before Linux 5.11
		return err
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range list {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// oomScore is how much likelier than others a guest is to be ended by a host that has
// no memory left, of 1000: before whatever else runs there.
const oomScore = 500

func (s *spec) lowerLimits() error {
	// User Mode Linux would execute itself once more, without randomised addresses.
	_, _, randomised := unix.RawSyscall(unix.SYS_PERSONALITY, addrNoRandomize, 0, 0)
	for _, l := range s.Limits {
		if (l.Resource == unix.RLIMIT_FSIZE || l.Resource == unix.RLIMIT_AS) && randomised != 0 {
			l.Value += brkGap
		}
		if err := lower(l); err != nil {
			return err
		}
	}
	return nil
}

// lower sets a limit, or what is left of it where the host's is lower.
func lower(l limit) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(l.Resource, &r); err != nil {
		return fmt.Errorf("read limit %d: %w", l.Resource, err)
	}
	r.Max = min(r.Max, l.Value)
	r.Cur = r.Max
	if err := unix.Setrlimit(l.Resource, &r); err != nil {
		return fmt.Errorf("set limit %d to %d: %w", l.Resource, l.Value, err)
	}
	return nil
}

// renounce gives up all privileges, for whatever it will execute as well.
func (s *spec) renounce() error {
	if s.User != 0 {
		if err := unix.Setgroups(nil); err != nil {
			return fmt.Errorf("drop supplementary groups: %w", err)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(s.User), uintptr(s.User), uintptr(s.User)); errno != 0 {
			return fmt.Errorf("switch to group %d: %w", s.User, errno)
		}
		keep := uintptr(1) // the bounding set is still to be emptied
		if err := prctl(unix.PR_SET_KEEPCAPS, keep); err != nil {
			return err
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(s.User), uintptr(s.User), uintptr(s.User)); errno != 0 {
			return fmt.Errorf("switch to user %d: %w", s.User, errno)
		}
		if err := setCapabilities(1 << unix.CAP_SETPCAP); err != nil {
			return fmt.Errorf("give up capabilities: %w", err)
		}
	}
	if s.Root != "" || s.User != 0 || os.Getuid() == 0 { // in its own user namespace it has all of them
		for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
			if err := prctl(unix.PR_CAPBSET_DROP, c); err != nil && err != unix.EINVAL { // one that the host does not know
				return fmt.Errorf("give up capability %d: %w", c, err)
			}
		}
		// User 0 must have no privileges of root: SECBIT_NOROOT, _NO_SETUID_FIXUP and
		// _NO_CAP_AMBIENT_RAISE, each with its lock, and _KEEP_CAPS's lock.
		if err := prctl(unix.PR_SET_SECUREBITS, 1<<0|1<<1|1<<2|1<<3|1<<5|1<<6|1<<7); err != nil {
			return fmt.Errorf("take root's privileges from user 0: %w", err)
		}
	}
	if err := setCapabilities(0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

func setCapabilities(set uint32) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: set, Permitted: set}}
	return unix.Capset(&header, &data[0])
}

// prctl is that of this thread: package unix's is, too, but takes its arguments apart.
func prctl(option int, arg uintptr) error {
	return unix.Prctl(option, arg, 0, 0, 0)
}

// gone tells whether the first start of this program has ended.
func gone() bool {
	fds := []unix.PollFd{{Fd: gateFD}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// execute installs the filter, and becomes the program. execve(2) is not among the
// calls that it lets through.
func (s *spec) execute(fd int) error {
	name, flags := strings.TrimPrefix(s.Exec, "/"), 0
	if s.Root == "" {
		name, flags = "", unix.AT_EMPTY_PATH
	}
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	args, err := pointers(append([]string{s.Name}, s.Args...))
	if err != nil {
		return err
	}
	env, err := pointers(s.Env)
	if err != nil {
		return err
	}
	if err := s.lowerLimits(); err != nil { // last: Go needs more than a kernel
		return err
	}
	if err := install(s.Filter); err != nil {
		return fmt.Errorf("install the system-call filter: %w", err)
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])), uintptr(flags), 0)
	runtime.KeepAlive(args)
	runtime.KeepAlive(env)
	return fmt.Errorf("execute %s: %w", s.Exec, errno)
}

// pointers is what execve(2) takes: pointers to strings that end with 0, and a nil.
func pointers(list []string) ([]*byte, error) {
	all := make([]*byte, len(list)+1)
	for i, s := range list {
		p, err := unix.BytePtrFromString(s)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		all[i] = p
	}
	return all, nil
}

func install(filter string) error {
	list, err := instructions(filter)
	if err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(list)
	if errno != 0 {
		return errno
	}
	return nil
}
