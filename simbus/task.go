package simbus

import (
	"fmt"
	"strings"
	"sync/atomic"
	"unicode"
)

// What a guest tells of its user space in the shared page, with firmware/kernel/patches:
// the @task fields of union um_timetravel_schedshm_client.
const (
	clientOffTaskPID  = 28
	clientOffTaskName = 96
	clientOffTaskUser = 112
	clientOffTaskTime = 120
	taskNameSize      = 16 // TASK_COMM_LEN
)

// Task is the process that the guest's kernel has entered user space for last: its
// number in the guest and its name. There is none, 0, before the first and if the
// kernel does not tell. It is what the guest says of itself: for people, nothing
// must depend on it. Call it on the domain's goroutine.
func (g *Guest) Task() (pid int, name string) {
	client := clientAt(shmGuest)
	n := atomic.LoadUint32(g.word32(client + clientOffTaskPID))
	if n == 0 || int32(n) < 0 {
		return 0, ""
	}
	raw := string(g.shm[client+clientOffTaskName:][:taskNameSize]) // may change while it is copied
	raw, _, _ = strings.Cut(raw, "\x00")
	return int(n), strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, raw)
}

// inUser tells whether the guest's user space runs, and not its kernel.
func (g *Guest) inUser() bool {
	return atomic.LoadUint32(g.word32(clientAt(shmGuest)+clientOffTaskUser)) != 0
}

// seenTime is how far the guest has come: what it has told, or later when it has
// entered user space since.
func (g *Guest) seenTime() Time {
	told := g.localTime()
	t := atomic.LoadUint64(g.word64(clientAt(shmGuest) + clientOffTaskTime))
	if t > uint64(g.until-g.base) {
		return told
	}
	return max(told, g.base+Time(t))
}

// busy says what the guest does that does not let time go on.
func (g *Guest) busy() string {
	pid, name := g.Task()
	switch {
	case pid == 0:
		return "guest code that loops without sleeping holds virtual time still"
	case g.inUser():
		return fmt.Sprintf("%s (PID %d) loops without sleeping or calling the kernel, which holds virtual time still", name, pid)
	default:
		return "its kernel loops without sleeping, which holds virtual time still" + g.lastTask()
	}
}

// lastTask says which program ran last, for the end of a message.
func (g *Guest) lastTask() string {
	if pid, name := g.Task(); pid != 0 {
		return fmt.Sprintf("; the last program to run was %s (PID %d)", name, pid)
	}
	return ""
}
