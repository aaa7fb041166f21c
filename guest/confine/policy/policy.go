// Package policy says which system calls of the host a guest may make. Package confine has
// what comes of it as data, in filters.go, and a test of its holds that against this: to
// assemble it takes a table of all system calls, which each start of a guest would make anew.
package policy

import (
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filters is what seccomp(2) takes to let system calls through that a User Mode Linux
// kernel and its user space's stub need, and refuse all others with EPERM. They were
// found by tracing both clocks, and in the sources (Linux arch/um/os-Linux,
// arch/um/kernel/skas/stub_exe.c). A filter of User Mode Linux' own stands before it for
// what the guest's programs call: of two filters the stricter verdict counts, and
// its trap is stricter than an error.
//
// A kernel that has no seccomp mode may trace its own processes, which are all that there
// are in its PID namespace, and have this filter, too: what a tracer has them call is held
// against it as what they call by themselves (since Linux 4.8; seccomp(2), NOTES).
//
// One that makes files for its programs by itself has to make them executable.
func Filters() (list []Filter, err error) {
	for _, f := range []struct {
		name       string
		conditions []seccomp.NameWithConditions
		names      []string
	}{{"plain", nil, nil}, {"tracing", tracer, nil}, {"making", nil, []string{"fchmod"}}, {"makingAndTracing", tracer, []string{"fchmod"}}} {
		instructions, err := assemble(f.conditions, f.names...)
		if err != nil {
			return nil, err
		}
		list = append(list, Filter{f.name, instructions})
	}
	return list, nil
}

// Filter is one of the filters, by name.
type Filter struct {
	Name         string
	Instructions []bpf.RawInstruction
}

var tracer = equal("ptrace", 0, traces...)

// assemble makes the filter with further system calls.
func assemble(conditions []seccomp.NameWithConditions, names ...string) ([]bpf.RawInstruction, error) {
	p := policy
	p.Syscalls = slices.Clone(p.Syscalls)
	p.Syscalls[0].Names = slices.Concat(p.Syscalls[0].Names, names)
	p.Syscalls[0].NamesWithCondtions = slices.Concat(p.Syscalls[0].NamesWithCondtions, conditions)
	instructions, err := p.Assemble()
	if err != nil {
		return nil, err
	}
	return bpf.Assemble(instructions)
}

// newNamespaces are the flags of clone(2) for namespaces.
const newNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// fcntls are the commands of fcntl(2) that it needs: flags, a signal when there is
// something to read, seals for its stub. None that takes memory or pipes' buffers, sends
// signals about folders, or has whoever opens a file wait (F_SETPIPE_SZ, F_NOTIFY, F_SETLEASE).
var fcntls = []uint64{unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL, unix.F_SETSIG, unix.F_SETOWN, unix.F_ADD_SEALS}

// traces are the requests of ptrace(2) that it needs then (Linux arch/um/os-Linux,
// arch/x86/um/os-Linux). None that traces a process which does not ask to be.
var traces = []uint64{unix.PTRACE_TRACEME, unix.PTRACE_PEEKUSR, unix.PTRACE_POKEUSR, unix.PTRACE_CONT, unix.PTRACE_KILL,
	unix.PTRACE_GETREGS, unix.PTRACE_SETREGS, unix.PTRACE_GETFPREGS, unix.PTRACE_SETFPREGS, unix.PTRACE_SYSCALL, unix.PTRACE_ARCH_PRCTL,
	unix.PTRACE_SYSEMU, unix.PTRACE_SYSEMU_SINGLESTEP, unix.PTRACE_OLDSETOPTIONS, unix.PTRACE_SETOPTIONS, unix.PTRACE_GETSIGINFO, unix.PTRACE_GETREGSET, unix.PTRACE_SETREGSET}

// equal are conditions of a system call, one of which must be met: an argument is one of
// these.
func equal(name string, argument uint32, values ...uint64) (list []seccomp.NameWithConditions) {
	for _, v := range values {
		list = append(list, seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: seccomp.Equal, Value: v}}})
	}
	return list
}

var policy = seccomp.Policy{
	DefaultAction: seccomp.ActionErrno, // EPERM
	Syscalls: []seccomp.SyscallGroup{{
		Action: seccomp.ActionAllow,
		Names: []string{
			// What a guest's every system call takes, first
			"futex", "rt_sigreturn", "recvmsg", "munmap", "close", "timer_settime", "rt_sigprocmask",
			"epoll_wait", "epoll_pwait", "read", "write", "sendmsg", "poll", "ppoll",
			// Memory
			"brk", "mremap", "mprotect", "madvise",
			// Files that are open, and those of its root
			"openat", "access", "faccessat2", "newfstatat", "fstat", "fstatfs", "statfs", "lseek", "pread64", "pwrite64", "readv", "writev",
			"readlink", "readlinkat", "getcwd", "getdents64", "mkdir", "unlink", "rmdir", "ftruncate", "fallocate", "fsync", "fdatasync", "dup", "dup2", "dup3",
			"close_range", "umask",
			// Waiting and signals, within its PID namespace
			"epoll_create", "epoll_create1", "epoll_ctl", "eventfd2", "signalfd4", "timer_create", "timer_delete", "timer_gettime",
			"timerfd_create", "timerfd_settime", "clock_gettime", "clock_nanosleep", "nanosleep", "restart_syscall", "sched_yield", "sched_setaffinity",
			"rt_sigaction", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "kill", "tgkill", "wait4", "waitid",
			// Processes: its threads, and its user space's, whose program is in a memfd
			"execveat", "exit", "exit_group", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "setsid",
			"set_tid_address", "set_robust_list", "rseq", "arch_prctl", "seccomp", "sched_getaffinity", "uname", "getrandom",
			// Sockets that it has
			"connect", "shutdown", "getsockopt",
		},
		NamesWithCondtions: slices.Concat([]seccomp.NameWithConditions{
			// No memory that is shared and no file's: no limit counts it. None that grows
			// as a stack does: RLIMIT_DATA does not count that (Linux mm/mmap.c, is_data_mapping).
			{Name: "mmap", Conditions: seccomp.ArgumentConditions{{Argument: 3, Operation: seccomp.BitsNotSet, Value: unix.MAP_ANONYMOUS | unix.MAP_GROWSDOWN}}},
			{Name: "mmap", Conditions: seccomp.ArgumentConditions{{Argument: 3, Operation: seccomp.BitsNotSet, Value: unix.MAP_SHARED | unix.MAP_GROWSDOWN}}},
			{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsNotSet, Value: newNamespaces}}},
		},
			equal("socket", 0, unix.AF_UNIX),
			equal("socketpair", 0, unix.AF_UNIX),
			equal("prlimit64", 2, 0), // limits can be read
			equal("personality", 0, addrNoRandomize),
			equal("fcntl", 1, fcntls...),
			equal("ioctl", 1, unix.TCGETS, unix.TIOCGWINSZ, fionbio),
			equal("prctl", 0, unix.PR_SET_NAME, unix.PR_SET_PDEATHSIG, unix.PR_SET_NO_NEW_PRIVS, unix.PR_SET_TSC, unix.PR_SET_VMA),
		),
	}, {
		// Its arguments are in memory, where no filter sees them: libc takes clone(2).
		Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS),
		Names:  []string{"clone3"},
	}},
}

// addrNoRandomize is a process's address space that is the same each time (Linux
// include/uapi/linux/personality.h).
const addrNoRandomize = 0x0040000

// fionbio makes a file one that does not block (Linux asm-generic/ioctls.h).
const fionbio = 0x5421
