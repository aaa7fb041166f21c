package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// target is what the attacker is told of the host.
type target struct {
	Secret   string // a file of the user's, which only its user can read
	Socket   string // listens
	Abstract string // listens, too, as an abstract address
	Parent   int    // a process of the user's
	Limit    int    // of processes, and of timers
	Files    int    // limit of open ones
	Stop     bool   // do nothing but stop, as a process that the user's traces
}

// attack is one try to get out; it got out if err is nil.
type attack struct {
	name string // as in docs/security.md
	try  func(t *target) error
}

var errBehaved = errors.New("nothing gained")

// call is an attack by one system call.
func call(name string, number uintptr, args ...uintptr) attack {
	return attack{name, func(*target) error { return number6(number, args...) }}
}

func number6(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// either fails if all do.
func either(errs ...error) error {
	if slices.Contains(errs, nil) {
		return nil
	}
	return errors.Join(errs...)
}

func text(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s + "\x00"))) }

func write(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		f.Close()
	}
	return err
}

func connect(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: name})
}

func fcntl(fd int, command, arg uintptr) error {
	return number6(unix.SYS_FCNTL, uintptr(fd), command, arg)
}

func socket(family int) error {
	return either(
		number6(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM, 0),
		number6(unix.SYS_SOCKET, uintptr(family), unix.SOCK_DGRAM, 0),
		number6(unix.SYS_SOCKET, uintptr(family), unix.SOCK_RAW, 0))
}

// each opens so many, and closes them again.
func each(n int, open func() (int, error)) error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for range n {
		fd, err := open()
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	return nil
}

var attacks = []attack{
	// Files
	{"read a file of the user's", func(t *target) error { _, err := os.ReadFile(t.Secret); return err }},
	{"read the host's /etc/passwd", func(*target) error { _, err := os.ReadFile("/etc/passwd"); return err }},
	{"look around in the root folder", func(*target) error {
		list, err := os.ReadDir("/")
		if err != nil {
			return err
		}
		for _, e := range list {
			if !slices.Contains([]string{"board", "linux", "lib", "lib64", "proc", "tmp"}, e.Name()) {
				fmt.Printf("in its root\t%s\n", e.Name())
				return nil
			}
		}
		return errBehaved
	}},
	{"leave the root by ..", func(*target) error { _, err := os.ReadDir("../../../../../../home"); return err }},
	{"write to the root folder", func(*target) error { return write("/x") }},
	{"write to its folder", func(*target) error { return write(WorkDir + "/x") }},
	{"change a file in its folder", func(*target) error { return either(write(WorkDir+"/own"), os.Chmod(WorkDir+"/own", 0o777)) }},
	{"change the kernel's file", func(*target) error { return write(execPath) }},
	{"make a device, a link, or a file of another name", func(*target) error {
		return either(unix.Mknod("/tmp/x", unix.S_IFCHR|0o666, 1<<8|1), os.Symlink("/", "/tmp/y"), os.Link(WorkDir+"/own", "/tmp/z"), os.Rename(WorkDir+"/own", WorkDir+"/new"))
	}},
	{"fill the folder for temporary files", func(*target) error {
		err := os.WriteFile("/tmp/big", make([]byte, 1<<20), 0o600)
		os.Remove("/tmp/big")
		return err
	}},
	{"open a file by its handle", func(*target) error {
		return number6(unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0)
	}},
	{"watch the host's files", func(*target) error {
		return either(number6(unix.SYS_FANOTIFY_INIT, 0, 0), number6(unix.SYS_INOTIFY_INIT1, 0))
	}},
	{"have the host wait at a file", func(*target) error {
		kernel, err := unix.Open(execPath, unix.O_RDONLY, 0) // the user's, whom the host lets take leases
		if err != nil {
			return nil
		}
		return either(fcntl(kernel, unix.F_SETLEASE, unix.F_RDLCK), fcntl(FirstFile, unix.F_SETLEASE, unix.F_WRLCK),
			fcntl(kernel, unix.F_NOTIFY, unix.F_RDLCK), fcntl(FirstFile, unix.F_SETLK, text(string(make([]byte, 32)))),
			fcntl(FirstFile, unix.F_OFD_SETLK, text(string(make([]byte, 32)))), unix.Flock(kernel, unix.LOCK_EX|unix.LOCK_NB))
	}},
	{"have signals sent about files by other ways", func(*target) error {
		owner := [2]int32{2, 1} // F_OWNER_PGRP
		return fcntl(FirstFile, unix.F_SETOWN_EX, uintptr(unsafe.Pointer(&owner)))
	}},
	{"use descriptors that it was not given", func(*target) error {
		for fd := FirstFile + 1; fd < 64; fd++ {
			var st unix.Stat_t
			if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT != 0 { // Go's own have no type
				fmt.Printf("descriptor\t%d %+v\n", fd, st)
				return nil
			}
		}
		return errBehaved
	}},
	// Processes
	{"see the host's processes", func(t *target) error {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", t.Parent))
		_, self := os.ReadFile("/proc/self/status")
		return either(err, self)
	}},
	{"signal a process of the user's", func(t *target) error { return unix.Kill(t.Parent, 0) }},
	{"trace a process", func(t *target) error {
		return either(number6(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(t.Parent)), number6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(t.Parent)),
			number6(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(unix.Gettid())), number6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(t.Parent)))
	}},
	{"read the memory of a process", func(t *target) error {
		return either(number6(unix.SYS_PROCESS_VM_READV, uintptr(t.Parent)), number6(unix.SYS_PROCESS_VM_WRITEV, uintptr(t.Parent)))
	}},
	{"take a descriptor of a process", func(t *target) error {
		return either(number6(unix.SYS_PIDFD_OPEN, uintptr(t.Parent)), number6(unix.SYS_PIDFD_GETFD, 0))
	}},
	{"execute a program of the host", func(*target) error {
		return either(unix.Exec("/bin/sh", []string{"sh"}, nil), number6(unix.SYS_EXECVEAT, 0, text("/bin/sh"), 0, 0, 0))
	}},
	{"execute what is there by execve", func(*target) error { return unix.Exec(execPath, []string{"x"}, nil) }},
	{"make more processes than the limit", func(t *target) error {
		n := 0
		var err error
		var pids []int
		for n < t.Limit+10 {
			pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
			if errno != 0 {
				err = errno
				break
			}
			if pid == 0 {
				for {
					unix.RawSyscall(unix.SYS_PPOLL, 0, 0, 0)
				}
			}
			pids = append(pids, int(pid))
			n++
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil)
		}
		return err
	}},
	{"make more timers than the limit", func(t *target) error {
		var timers []int32
		defer func() {
			for _, id := range timers {
				_ = number6(unix.SYS_TIMER_DELETE, uintptr(id))
			}
		}()
		for range t.Limit + 10 {
			var id int32
			if err := number6(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&id))); err != nil {
				return err
			}
			timers = append(timers, id)
		}
		return nil
	}},
	{"make objects of the kernel's without end", func(t *target) error {
		var errs []error
		for _, do := range []func() (int, error){
			func() (int, error) { return unix.Eventfd(0, 0) },
			func() (int, error) { return unix.EpollCreate1(0) },
			func() (int, error) { return unix.TimerfdCreate(unix.CLOCK_MONOTONIC, 0) },
			func() (int, error) { return unix.Signalfd(-1, new(unix.Sigset_t), 0) },
			func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0) },
		} {
			errs = append(errs, each(t.Files+1, do))
		}
		return either(errs...)
	}},
	{"make files without end", func(t *target) error {
		n := 0
		return either(
			each(t.Files/2, func() (int, error) { return unix.Open("/tmp", unix.O_TMPFILE|unix.O_RDWR, 0o600) }),
			each(t.Files/2, func() (int, error) {
				n++
				return unix.Open(fmt.Sprintf("/tmp/f%d", n), unix.O_CREAT|unix.O_RDWR, 0o600)
			}))
	}},
	{"run before others", func(*target) error {
		return either(unix.Setpriority(unix.PRIO_PROCESS, 0, -5),
			unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0))
	}},
	// Networks and sockets
	{"connect to a socket of the user's", func(t *target) error { return connect(t.Socket) }},
	{"connect to an abstract socket", func(t *target) error { return connect(t.Abstract) }},
	{"make a socket of the Internet's", func(*target) error { return either(socket(unix.AF_INET), socket(unix.AF_INET6)) }},
	{"make a socket of the kernel's", func(*target) error {
		return either(socket(unix.AF_NETLINK), socket(unix.AF_PACKET), socket(unix.AF_VSOCK), socket(unix.AF_ALG))
	}},
	// Namespaces and privileges
	{"mount", func(*target) error {
		return either(unix.Mount("x", "/tmp", "tmpfs", 0, ""), unix.Mount("x", "/proc", "proc", 0, ""), unix.Unmount(WorkDir, unix.MNT_DETACH),
			number6(unix.SYS_FSOPEN, text("tmpfs"), 0), number6(unix.SYS_OPEN_TREE, 0, text("/"), 1))
	}},
	{"change its root", func(*target) error { return either(unix.Chroot("/tmp"), unix.PivotRoot("/", "/tmp")) }},
	{"make a namespace", func(*target) error {
		return either(unix.Unshare(unix.CLONE_NEWUSER), number6(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)),
			number6(unix.SYS_CLONE3, 0, 0))
	}},
	{"enter a namespace", func(*target) error { return unix.Setns(0, 0) }},
	{"gain privileges", func(*target) error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_SYS_ADMIN, Permitted: 1 << unix.CAP_SYS_ADMIN}}
		return either(unix.Capset(&header, &data[0]), number6(unix.SYS_SETUID, 1000), number6(unix.SYS_SETGROUPS, 0, 0))
	}},
	{"raise a limit", func(*target) error {
		return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	}},
	{"leave a core dump", func(*target) error {
		var r unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil || r.Max != 0 {
			return err
		}
		return errBehaved
	}},
	// Memory
	{"make its memory's file larger than the limit", func(*target) error { return unix.Ftruncate(FirstFile, 1<<40) }},
	{"take memory that no limit counts", func(*target) error {
		return either(number6(unix.SYS_MMAP, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS, 1<<64-1),
			number6(unix.SYS_MEMFD_CREATE, text("x"), 0))
	}},
	{"take memory as a stack's", func(*target) error {
		return either(number6(unix.SYS_MMAP, 0, 4<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_GROWSDOWN|unix.MAP_NORESERVE, 1<<64-1),
			number6(unix.SYS_MMAP, 0, 4<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_GROWSDOWN|unix.MAP_NORESERVE, FirstFile))
	}},
	{"take more memory than the limit", func(*target) error {
		return number6(unix.SYS_MMAP, 0, 4<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, 1<<64-1)
	}},
	{"take memory as page tables", func(*target) error { // of memory that is never written
		return number6(unix.SYS_MMAP, 0, 64<<30, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, 1<<64-1)
	}},
	{"make larger buffers of sockets and pipes", func(*target) error {
		var pipe [2]int
		errs := []error{unix.Pipe2(pipe[:], 0), number6(unix.SYS_PIPE, uintptr(unsafe.Pointer(&pipe)))}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return nil // it needs these
		}
		errs = append(errs, fcntl(1, unix.F_SETPIPE_SZ, 1<<20)) // what it prints to
		for _, option := range []int{unix.SO_SNDBUF, unix.SO_RCVBUF, unix.SO_SNDBUFFORCE, unix.SO_RCVBUFFORCE} {
			errs = append(errs, unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, option, 1<<20))
		}
		return either(errs...)
	}},
	{"lock memory", func(*target) error {
		return either(number6(unix.SYS_MLOCKALL, 1), number6(unix.SYS_SHMGET, 0, 4096, 0o1000))
	}},
	// Parts of the host's kernel that have had their holes
	call("io_uring", unix.SYS_IO_URING_SETUP, 1, 0),
	call("bpf", unix.SYS_BPF),
	call("perf", unix.SYS_PERF_EVENT_OPEN, 0, 0, 0),
	call("userfaultfd", unix.SYS_USERFAULTFD, 1),
	{"keyrings", func(*target) error {
		return either(number6(unix.SYS_KEYCTL, 0), number6(unix.SYS_ADD_KEY, 0, 0, 0, 0, 0))
	}},
	{"modules, kexec, reboot, swap", func(*target) error {
		return either(number6(unix.SYS_INIT_MODULE), number6(unix.SYS_FINIT_MODULE), number6(unix.SYS_KEXEC_LOAD), number6(unix.SYS_REBOOT), number6(unix.SYS_SWAPON))
	}},
	{"the host's name and time", func(*target) error {
		return either(unix.Sethostname([]byte("x")), number6(unix.SYS_CLOCK_SETTIME), number6(unix.SYS_SETTIMEOFDAY))
	}},
	{"the host's kernel log", func(*target) error { return number6(unix.SYS_SYSLOG, 3) }},
	{"ports of the hardware, other segments", func(*target) error {
		return either(number6(unix.SYS_IOPL, 3), number6(unix.SYS_IOPERM, 0, 1, 1), number6(unix.SYS_MODIFY_LDT, 0))
	}},
	{"type on the terminal", func(*target) error { return unix.IoctlSetInt(0, unix.TIOCSTI, 0) }},
	{"system calls of another kind", func(*target) error {
		return number6(0x40000000 + 39) // getpid(2) of x32
	}},
}

func init() {
	if os.Args[0] == attacker {
		runtime.LockOSThread() // to the first thread, which goes with the process only
	}
}

// traceThread has a thread make its parent, this test, its tracer, and end.
func traceThread() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- number6(unix.SYS_PTRACE, unix.PTRACE_TRACEME)
	}()
	return <-result
}

// attackAll is the attacker's program: it tells of each attack that it got nowhere.
func attackAll() {
	var t target
	if err := json.Unmarshal([]byte(os.Args[1]), &t); err != nil {
		panic(err)
	}
	if t.Stop {
		fmt.Printf("stops\t%v\n", number6(unix.SYS_PTRACE, unix.PTRACE_TRACEME))
		_ = unix.Tgkill(os.Getpid(), os.Getpid(), unix.SIGUSR1)
		fmt.Println("goes on\t")
		return
	}
	for _, a := range attacks {
		result := "GOT OUT"
		if err := a.try(&t); err != nil {
			result = "held: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Printf("%s\t%s\n", a.name, result)
	}
	// What it is to have
	own, err := os.ReadFile(filepath.Join(WorkDir, "own"))
	fmt.Printf("own file\t%q %v\n", own, err)
	dir, err := os.Getwd()
	fmt.Printf("folder\t%s %v\n", dir, err)
	fmt.Printf("traced\t%v\n", traceThread())
	fmt.Printf("own socket\t%v\n", connect(WorkDir+"/own.sock"))
	fmt.Printf("ids\t%d %d\n", os.Getuid(), os.Getpid())
}
