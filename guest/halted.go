package guest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Halted says, in words, that the guest's kernel, or one of the processes in
// which its programs run, has been stopped from outside: by a signal or by a
// tracer. It is empty if none has.
func (p *Process) Halted() string {
	pid := p.PID()
	pids := []int{pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err == nil {
		for _, f := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(f); err == nil {
				pids = append(pids, child)
			}
		}
	}
	for _, pid := range pids {
		if text := halted(pid); text != "" {
			return text
		}
	}
	return ""
}

func halted(pid int) string {
	state, tracer := status(pid)
	switch {
	case state == 't' && tracer != 0:
		return fmt.Sprintf("its process %d is held by a tracer, %s (process %d)", pid, command(tracer), tracer)
	case state == 't' || state == 'T':
		return fmt.Sprintf("its process %d was stopped by a signal (SIGSTOP)", pid)
	}
	return ""
}

// status is a process's state letter and its tracer, from /proc/PID/status
// (proc_pid_status(5)).
func status(pid int) (state byte, tracer int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(data) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":\t")
		switch {
		case key == "State" && value != "":
			state = value[0]
		case key == "TracerPid":
			tracer, _ = strconv.Atoi(value)
		}
	}
	return state, tracer
}

func command(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "which has gone"
	}
	return strings.TrimSpace(string(data))
}
