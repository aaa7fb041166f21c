package control

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// sweep waits until nobody holds the other end of its input any more. Unless it was told
// that the name was released in order, it then removes the socket and the lock: while it
// holds the lock, by flock(2), no other program takes the name. Without flock(1) they
// stay until the name is taken again.
const sweep = `read -r how
[ "$how" = released ] || flock -n "$2" rm -f -- "$1" "$2" 2>/dev/null`

// sweeper is a process that goes on when this program is killed.
type sweeper struct {
	cmd   *exec.Cmd
	lease *os.File
}

// newSweeper posts one for a socket and its lock.
func newSweeper(socket, lock string) (*sweeper, error) {
	input, lease, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("guard the control socket: %w", err)
	}
	s := &sweeper{cmd: exec.Command("/bin/sh", "-c", sweep, "sh", socket, lock), lease: lease}
	s.cmd.Dir, s.cmd.Stdin = "/", input
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no signal from the terminal reaches it
	err = s.cmd.Start()
	input.Close()
	if err != nil {
		lease.Close()
		return nil, fmt.Errorf("guard the control socket: %w", err)
	}
	return s, nil
}

// release ends it, with nothing to do.
func (s *sweeper) release() {
	_, _ = io.WriteString(s.lease, "released\n") // one that has gone has nothing to do either
	s.lease.Close()
	_ = s.cmd.Wait()
}

// settle waits for a sweeper that holds the lock for a moment, on whose file this
// program has its own lock already. The file may have gone then.
func settle(lock *os.File) error {
	for {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			return err
		}
	}
}
