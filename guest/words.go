package guest

import (
	"fmt"
	"strconv"
	"strings"
)

// words are those of User Mode Linux' command line that say what the board is.
func (c *Config) words() []string {
	list := []string{"con=none", "console=hvc0", "dtb=" + c.Tree, "initrd=" + c.Initrd,
		// A Go program reserves tens of megabytes that it never touches, which
		// a small board would refuse it.
		"sysctl.vm.overcommit_memory=1",
		// No interface that nobody has asked for: what a module makes when it is
		// loaded, a driver in the kernel makes on every board.
		"bonding.max_bonds=0",
		// The sleep from which parts of the board can wake it up.
		"mem_sleep_default=s2idle"}
	if c.Kernel.Seccomp {
		list = append(list, "seccomp=on")
	}
	if c.Clock != nil { // firmware/kernel/patches have um_time
		list = append(list, "time-travel=ext:1:"+c.Clock.Socket,
			fmt.Sprintf("um_time.syscall=%d", c.Clock.Syscall), fmt.Sprintf("um_time.clock_read=%d", c.Clock.Read))
	} else if c.CPUs > 1 && c.Kernel.SMP {
		list = append(list, fmt.Sprintf("ncpus=%d", c.CPUs))
	}
	return append(list, c.Args...)
}

// panicWords are in the message of a kernel that panics (Linux kernel/panic.c).
const panicWords = "Kernel panic - not syncing"

// PanicIn is a kernel's message of its panic in a line of its console, "" if the line has
// none. It has a time stamp before it, and before that there may be what a program was
// writing. As process 1 of its namespace such a kernel cannot end itself by a signal, and
// spins: it has to be killed when it has said its last words.
func PanicIn(line string) string {
	const what = "] Kernel panic"
	end := strings.Index(line, what)
	if end < 0 {
		return ""
	}
	stamp := strings.TrimSpace(line[strings.LastIndexByte(line[:end], '[')+1 : end])
	if _, err := strconv.ParseFloat(stamp, 64); err != nil {
		return ""
	}
	return line[end+len("] "):]
}
