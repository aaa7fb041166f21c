package confine

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Wait waits for a program's end, as cmd.Wait does, if it may trace its own processes.
// Then each of its threads can also make this program, its parent, its tracer
// (PTRACE_TRACEME), and must not gain by that: a thread that ends would stay until this
// program waits for it, and the program's PID namespace with it (Linux kernel/exit.c,
// kernel/pid_namespace.c); and a stop of its first thread would look like its end
// (wait_task_stopped).
func Wait(cmd *exec.Cmd) error {
	pid := cmd.Process.Pid
	defer reapThreads(pid)()
	awaitEnd(pid)
	return cmd.Wait()
}

// awaitEnd waits until a child has ended, and leaves it to be waited for. One that stops,
// as only a child does that is traced, is ended.
func awaitEnd(pid int) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || ended(info):
			return
		default:
			_ = unix.Kill(pid, unix.SIGKILL) // it is still there, and so is its number
			time.Sleep(time.Millisecond)
		}
	}
}

// Why a child is waited for (Linux include/uapi/asm-generic/siginfo.h).
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// reapThreads waits for threads of a child that end and have this program for their
// tracer, each time that the host says that there may be one, until end is called.
func reapThreads(pid int) (end func()) {
	children, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for {
			reap(pid)
			select {
			case <-children:
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(children); close(done) }
}

func reap(pid int) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return // it has gone
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil || tid == pid {
			continue
		}
		// It fails for those that have no tracer.
		var info unix.Siginfo
		if unix.Waitid(unix.P_PID, tid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil) != nil || !ended(info) {
			continue
		}
		// The number may have become another child's meanwhile; it is no more, now that
		// the one who has it has ended.
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", pid, tid)); err == nil {
			_, _ = unix.Wait4(tid, nil, unix.WALL|unix.WNOHANG, nil)
		}
	}
}

func ended(info unix.Siginfo) bool {
	return info.Code == cldExited || info.Code == cldKilled || info.Code == cldDumped
}
