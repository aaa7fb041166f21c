package main

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children are the processes that were started here. Process 1 also inherits
// all others whose parents have ended, and must wait for those too.
type children struct {
	mu      sync.Mutex
	running map[int]*child
	reaping bool // wait4 for any process; otherwise only for our own
	over    bool // the board is being shut down
	unmount bool // the root is on a disk
}

type child struct {
	pid    int
	done   chan struct{}
	status int  // as a shell has it
	shell  bool // an interactive one, which does not end by SIGTERM
}

// newChildren waits for every process from now on.
func newChildren() *children {
	k := &children{running: make(map[int]*child), reaping: true}
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for range died {
			k.reap()
		}
	}()
	return k
}

func (k *children) reap() {
	k.mu.Lock() // a process just started is in the map before it is looked for there
	defer k.mu.Unlock()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if c := k.running[pid]; c != nil {
			delete(k.running, pid)
			c.end(ws)
		}
	}
}

func (c *child) end(ws unix.WaitStatus) {
	c.status = ws.ExitStatus()
	if ws.Signaled() {
		c.status = 128 + int(ws.Signal())
	}
	close(c.done)
}

func (c *child) wait() int {
	<-c.done
	return c.status
}

type startOptions struct {
	console bool // the console is its terminal
	shell   bool // it is an interactive shell
	env     []string
	dir     string
	files   [3]*os.File // unless console
	session bool        // it leads a session, whose terminal is files[0]
}

// start starts a program in a process group of its own. Only one with a terminal
// leads a session too: a session's leader without one that opens a UART would make
// that its controlling terminal, and hang it up when it ends.
func (k *children) start(args []string, o startOptions) (*child, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return nil, err
	}
	attr := &os.ProcAttr{Dir: o.dir, Env: append(os.Environ(), o.env...), Sys: &syscall.SysProcAttr{}}
	if attr.Dir == "" {
		attr.Dir = "/"
	}
	if o.console {
		tty, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			return nil, err
		}
		defer tty.Close()
		o.files, o.session = [3]*os.File{tty, tty, tty}, true
	}
	attr.Sys.Setpgid, attr.Sys.Setsid, attr.Sys.Setctty = !o.session, o.session, o.session
	attr.Files = o.files[:]
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := os.StartProcess(path, args, attr)
	if err != nil {
		return nil, err
	}
	c := &child{pid: p.Pid, done: make(chan struct{}), shell: o.shell}
	if k.reaping {
		k.running[c.pid] = c
		return c, p.Release()
	}
	go func() {
		if state, err := p.Wait(); err == nil {
			c.end(unix.WaitStatus(state.Sys().(syscall.WaitStatus)))
		} else {
			c.end(unix.WaitStatus(255 << 8))
		}
	}()
	return c, nil
}

func (k *children) ending() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over
}

// obey does what process 1 is asked for by a signal, as by BusyBox's reboot, poweroff and halt. Others it takes no notice of: the
// runtime would end at some of them, and the kernel with it. SIGQUIT alone does that: who tests a panic asks for one so.
func (k *children) obey(patience time.Duration) {
	others := []os.Signal{unix.SIGHUP, unix.SIGTRAP, unix.SIGABRT, unix.SIGSTKFLT, unix.SIGSYS, unix.SIGPIPE,
		unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL}
	signal.Notify(make(chan os.Signal, 1), others...)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		switch <-asked {
		case unix.SIGUSR1, unix.SIGUSR2:
			k.shutDown(patience, unix.LINUX_REBOOT_CMD_POWER_OFF)
		default:
			k.shutDown(patience, unix.LINUX_REBOOT_CMD_RESTART)
		}
	}()
}

// powerOff ends all programs, in order, and switches the board off. patience is how
// long they have to end by themselves.
func (k *children) powerOff(patience time.Duration) {
	if !k.reaping { // an init system is in charge
		if c, err := k.start([]string{"poweroff"}, startOptions{}); err == nil && c.wait() == 0 {
			return
		}
		end(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	k.shutDown(patience, unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// shutDown ends all programs, in order, and then the kernel in some way.
func (k *children) shutDown(patience time.Duration, how int) {
	k.mu.Lock()
	k.over = true
	var main []*child
	for _, c := range k.running {
		main = append(main, c)
	}
	k.mu.Unlock()
	_ = unix.Kill(-1, unix.SIGTERM)
	for _, c := range main {
		if c.shell {
			_ = unix.Kill(c.pid, unix.SIGHUP)
		}
	}
	limit := time.After(patience)
	for _, c := range main {
		select {
		case <-c.done:
		case <-limit:
			_ = unix.Kill(-1, unix.SIGKILL)
		}
	}
	if k.unmount {
		k.clean()
	}
	end(how)
}

// clean leaves the root's file system as one that needs no repair: it can be written to no
// more when nobody is left who has a file of it open.
func (k *children) clean() {
	_ = unix.Kill(-1, unix.SIGKILL)
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && err != unix.EINTR {
			break
		}
	}
	_ = unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, "") // an overlay stays as it is
}

func end(how int) {
	unix.Sync()
	_ = unix.Reboot(how)
	select {}
}
