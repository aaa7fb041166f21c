package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"backplane/guest/confine"
	"backplane/simbus/awake"

	"golang.org/x/sys/unix"
)

// A User Mode Linux kernel restarts by executing argv[0] again (Linux
// arch/um/os-Linux/main.c), in a process whose sockets have all gone stale. This
// name leads nowhere, so it says that it failed, and exits.
const (
	restart       = "backplane-guest-that-restarts"
	restartFailed = "Failed to exec kernel"
)

// Process is a guest whose kernel is User Mode Linux, in processes of the host's.
type Process struct {
	cmd     *exec.Cmd
	pidfd   int
	tail    *tail
	backing Backing
	oom     uint64 // how many processes the host had ended for want of memory when it was started
	killed  bool   // Kill was called

	awaited bool // Wait was called, perhaps in vain
	once    sync.Once
	result  error // what Wait says
	err     error // how it ended, once done is closed
	done    chan struct{}
}

// limits are those of the kernel and of each of its processes, all well above what it
// needs.
func (c *Config) limits() confine.Limits {
	l := confine.Limits{
		// A guest's process takes some 64 KiB of its memory, and is one of the host's.
		Processes: 1024 + uint64(c.Memory)>>16,
		FileSize:  uint64(c.Memory) + 16<<20,
		// Its memory is a file's. The kernel itself has 3 MiB, and its CPUs' stacks; the
		// rest is for the program in Go that executes it: with little more than a kernel
		// needs, one of a thousand starts ended in Go's runtime between the limits and execve.
		// It maps its initramfs as memory that it may write to.
		Data: 256<<20 + uint64(c.CPUs)*16<<20 + c.Kernel.Shadow + c.initrdSize(),
		// The kernel maps its memory once, a guest's process what it uses of that. More
		// would be page tables of the host's, 4 KiB for each 2 MiB, which are no data.
		Addresses: 4<<30 + 4*uint64(c.Memory) + c.Kernel.Shadow + c.initrdSize(),
	}
	// The kernel has a timer for each CPU. What is left is for siginfo(2), which the
	// signals that it has can do without.
	l.Signals = l.Processes
	// The kernel holds one for each of its processes, and some 15 for a device.
	l.Files = l.Processes + 4096
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		l.Files = min(l.Files, files.Cur)
	}
	return l
}

// initrdSize is that of the initramfs, in bytes; 0 if there is none.
func (c *Config) initrdSize() uint64 {
	info, err := os.Stat(filepath.Join(c.Dir, c.Initrd))
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return uint64(info.Size())
}

// files are those that the kernel is given, and the words that tell it of them.
func (c *Config) files() (files []*os.File, args []string, err error) {
	give := func(word string, f *os.File) {
		args = append(args, fmt.Sprintf("%s=%d", word, confine.FirstFile+len(files)))
		files = append(files, f)
	}
	if c.Backing == File && !c.Kernel.Patched() {
		return nil, nil, fmt.Errorf("board %s: backing is \"file\", and a kernel without Backplane's patches makes its memory's file itself, in RAM", c.Board)
	}
	if c.Kernel.Patched() {
		memory, err := c.Backing.Open()
		if err != nil {
			return files, nil, fmt.Errorf("board %s: make a file for its memory: %w", c.Board, err)
		}
		give("mem_fd", memory)
		warm(memory, c.Memory, c.Backing)
	}
	if c.Kernel.Seccomp {
		stub, err := stubFile()
		if err != nil {
			return files, nil, fmt.Errorf("board %s: make a file for its user space's program: %w", c.Board, err)
		}
		give("stub_fd", stub)
	}
	return files, args, nil
}

// temp is how much room the kernel needs for files of its own: for its memory's, and for
// the program in which its user space begins.
func (c *Config) temp() int64 {
	if !c.Kernel.Patched() {
		return c.Memory + 1<<20
	}
	return 0
}

// list writes numbers as the kernel's UML_HOST_CPUS has them.
func list(numbers []int) string {
	var b []byte
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}

// Start starts User Mode Linux, behind the walls of package confine. Its processes live in a PID namespace of their own
// and end with the kernel, and the kernel ends with this program, however that
// ends. Nothing of this needs root.
func Start(c Config) (Guest, error) {
	kernel, err := filepath.Abs(c.Kernel.Path)
	if err != nil {
		return nil, fmt.Errorf("board %s: kernel %s: %w", c.Board, c.Kernel.Path, err)
	}
	files, args, err := c.files()
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := c.own(); err != nil {
		return nil, fmt.Errorf("board %s: %w", c.Board, err)
	}
	p := &Process{pidfd: -1, backing: c.Backing, oom: oomKills(), done: make(chan struct{}), tail: &tail{w: c.Output, panics: c.Panics}}
	temp := confine.TempDir
	if c.Unconfined {
		temp = "."
	}
	cmd, started, err := confine.Command(confine.Program{
		Path: kernel, Name: restart, Dir: c.Dir,
		Args: slices.Concat([]string{fmt.Sprintf("mem=%dK", c.Memory/1024)}, args, []string{"uml_dir=" + temp, "umid=uml"}, c.words()),
		// Nothing of the host's environment reaches the guest: UML makes unknown
		// variables its init's environment.
		Env:   []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=linux", "UML_HOST_CPUS=" + list(c.Host)},
		Files: files, Guard: c.Guard, Output: p.tail,
		Ptrace: !c.Kernel.Seccomp, Temp: c.temp(), Limits: c.limits(), Unconfined: c.Unconfined,
	})
	if err != nil {
		return nil, fmt.Errorf("board %s: start kernel %s: %w", c.Board, kernel, err)
	}
	p.cmd = cmd
	p.cmd.WaitDelay = outputLimit
	p.cmd.SysProcAttr.PidFD = &p.pidfd
	err = spawn(p.cmd)
	if failure := started(err); failure != nil {
		if err == nil {
			_ = p.cmd.Wait()
			unix.Close(p.pidfd)
		}
		if errors.Is(failure, confine.ErrRefused) {
			return nil, fmt.Errorf("board %s: start kernel: %w: 'backplane doctor' says more; --unconfined starts it with the remaining walls (docs/security.md)", c.Board, failure)
		}
		return nil, fmt.Errorf("board %s: start kernel %s: %w", c.Board, kernel, failure)
	}
	if c.CPU >= 0 {
		drive(p.cmd.Process.Pid, c.CPU)
	}
	go func() {
		wait := p.cmd.Wait
		if !c.Kernel.Seccomp {
			wait = func() error { return confine.Wait(p.cmd) }
		}
		if p.err = wait(); errors.Is(p.err, exec.ErrWaitDelay) {
			p.err = nil // it ended well, and somebody holds its output
		}
		if c.Unconfined {
			endStrays(c.Dir)
		}
		close(p.done)
	}()
	return p, nil
}

// drive keeps a kernel on the CPU of the thread that drives it, and lets that go on
// when it gives a kernel the time: a batch process does not preempt the one that
// wakes it, so that several are woken with a switch to each and none back. The
// processes of the kernel's user space are not to be like it: they and the kernel
// take turns, and preempting saves the second from falling asleep.
func drive(pid, cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	// Without either all is slower, and right all the same.
	_ = unix.SchedSetaffinity(pid, &set)
	_ = unix.SchedSetAttr(pid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Flags: unix.SCHED_FLAG_RESET_ON_FORK}, 0)
}

// Done implements [Guest].
func (p *Process) Done() (fd int) { return p.pidfd }

// Kill implements [Guest].
func (p *Process) Kill() {
	p.killed = true
	_ = p.cmd.Process.Kill()
	p.await(killLimit)
}

// How long a process may take to go that was killed, or that is about to end by
// itself. One that a tracer holds on to goes when that lets it, and is not waited for.
const (
	killLimit = 2 * time.Second
	exitLimit = 20 * time.Second
)

// outputLimit is how long what it prints is read on once it has gone: a guest can give
// the descriptor away, to this program too, and so keep it open.
const outputLimit = time.Second

// await waits until the process has gone, at most for limit.
func (p *Process) await(limit time.Duration) {
	over := make(chan struct{})
	defer awake.AfterFunc(limit, func() { close(over) })()
	select {
	case <-p.done:
	case <-over:
	}
	p.awaited = true
}

// Wait implements [Guest]. A kernel that has said on the host's side that it has panicked
// is killed: see [PanicIn]. The error has the last that it printed there.
func (p *Process) Wait() error {
	if p.panicked() {
		p.Kill()
	}
	if !p.awaited {
		p.await(exitLimit)
	}
	p.once.Do(func() { p.result = p.conclude() })
	return p.result
}

func (p *Process) conclude() error {
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = -1
	}
	select {
	case <-p.done:
	default:
		return errors.New("its process has not ended: a tracer holds it")
	}
	last := p.tail.lines()
	switch { // it may have had no memory to say so
	case endedBy(p.err, unix.SIGBUS):
		p.err = fmt.Errorf("%w: %s", p.err, p.backing.exhausted())
	case endedBy(p.err, unix.SIGKILL) && !p.killed && oomKills() > p.oom:
		p.err = fmt.Errorf("%w: this machine, or what limits this program's memory, ran out of memory", p.err)
	}
	switch {
	case p.err == nil && strings.Contains(last, restartFailed):
		return ErrRestart
	case p.err != nil && last != "":
		return fmt.Errorf("%w; its last words: %s", p.err, last)
	}
	return p.err
}

// endedBy tells whether a signal ended a kernel: SIGBUS if there was no memory behind an
// address, as of a file that cannot grow, and SIGKILL from a host that has no memory left.
func endedBy(err error, signal syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}

// spawn starts cmd from a thread that lives as long as this program: the
// kernel sends Pdeathsig when the starting thread ends, not the process.
func spawn(cmd *exec.Cmd) error {
	startSpawner.Do(func() {
		go func() {
			runtime.LockOSThread()
			for s := range spawns {
				s.err <- s.cmd.Start()
			}
		}()
	})
	s := spawnRequest{cmd, make(chan error)}
	spawns <- s
	return <-s.err
}

type spawnRequest struct {
	cmd *exec.Cmd
	err chan error
}

var (
	startSpawner sync.Once
	spawns       = make(chan spawnRequest)
)

// tail passes on what is written to it and keeps the end.
type tail struct {
	mu       sync.Mutex
	w        io.Writer
	kept     []byte
	panics   func()
	panicked bool
}

// tailSize is how much is kept: a kernel that panics before it has a console prints
// all of its log, of which this is more than there is by then.
const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := max(0, len(t.kept)-len(panicWords))
	t.kept = append(t.kept, p...)
	if !t.panicked && bytes.Contains(t.kept[seen:], []byte(panicWords)) {
		t.panicked = true
		if t.panics != nil {
			t.panics()
		}
	}
	if len(t.kept) > tailSize {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailSize:]...)
	}
	if t.w == nil {
		return len(p), nil
	}
	return t.w.Write(p)
}

// panicked tells whether the kernel has said so on the host's side.
func (p *Process) panicked() bool {
	p.tail.mu.Lock()
	defer p.tail.mu.Unlock()
	return p.tail.panicked
}

// LastWords implements [Guest]: what the kernel has said on the host's side with a time
// (Linux arch/um/kernel/kmsg_dump.c).
func (p *Process) LastWords() (lines []string) {
	p.tail.mu.Lock()
	defer p.tail.mu.Unlock()
	for _, m := range logLine.FindAllSubmatch(p.tail.kept, -1) {
		lines = append(lines, string(m[1]))
	}
	return lines
}

var logLine = regexp.MustCompile(`(?m)^(?:<\d+>)?(\[ *\d+\.\d+\] ?.*)$`)

// lines is the last few lines in one.
func (t *tail) lines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var last []string
	for _, l := range strings.Split(string(t.kept), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			last = append(last, l)
		}
	}
	return strings.Join(last[max(0, len(last)-4):], " | ")
}

// PID implements [Guest].
func (p *Process) PID() int { return p.cmd.Process.Pid }
