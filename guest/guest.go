// Package guest runs a board's kernel: a User Mode Linux process in namespaces
// of its own, in a run folder that goes when it ends. It knows how to start,
// watch and stop one, not what hangs on it.
package guest

import (
	"errors"
	"io"
	"os"
	"time"

	"backplane/guest/kernel"
)

// Guest is a board's kernel while it runs. Its methods are called on the goroutine that
// drives the board, PID and Halted on others too.
type Guest interface {
	// Done can be read from, as poll(2) has it, once the kernel has ended. It is the
	// guest's, and goes with Wait.
	Done() (fd int)
	// Kill ends it at once, as if its plug were pulled, and waits for that.
	Kill()
	// Wait waits for its end, which it brings about if the kernel has told [Config.Panics]. The error is ErrRestart, or says how it ended if not by
	// powering off.
	Wait() error
	// Halted says, in words, that it was stopped from outside; nothing if it was not.
	Halted() string
	// PID is the process that makes its connections.
	PID() int
	// LastWords is what its kernel has logged of which its console knows nothing, as of a
	// panic before it has one, in lines.
	LastWords() []string
}

// ErrRestart is how a kernel ends that wants to be started again.
var ErrRestart = errors.New("the guest restarts")

// Config says what a board needs of its guest. Files are named by their paths in Dir, so
// that nothing of the host shows in the guest's own log.
type Config struct {
	Board  string // for messages
	Kernel kernel.Image
	Dir    string // the board's run folder, the process's working directory
	Memory int64  // bytes
	// Backing is what the memory is in, RAM if it is not said.
	Backing Backing
	CPUs    int
	Tree    string // the device tree, a file
	Initrd  string // the initramfs, a file
	Clock   *Clock // nil: the host's
	// Args are further words of the kernel's command line.
	Args []string

	CPU    int       // the host CPU of the thread that drives it, -1 if none does
	Host   []int     // the host CPUs that it may use besides, nil for all that this program may
	Output io.Writer // what the kernel prints on the host side, before it has a console of its own
	Panics func()    // told, on another goroutine, when it says there that it has panicked; may be nil

	Guard      *os.File // see [RunDir.Guard]; may be nil
	Unconfined bool     // the host lets nobody have namespaces
}

// Clock is virtual time.
type Clock struct {
	Socket string // where to ask for the time
	// What a system call of a program takes at least, and what it takes to read the clock.
	Syscall, Read time.Duration
}
