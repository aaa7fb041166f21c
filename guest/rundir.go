package guest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// RunDir is a folder for what exists only while guests run: sockets, device
// trees, initial file systems. It goes when this program ends, however it ends.
type RunDir struct {
	path    string
	lease   io.Closer // the sweeper removes the folder when this is closed
	sweeper *exec.Cmd
}

// sweep waits until nobody holds the other end of its input any more, then
// removes the folder. Guests that are dying may still add to it meanwhile.
const sweep = `cat >/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" 2>/dev/null && break; sleep 0.2; done`

// NewRunDir makes a run folder under TMPDIR and posts a process beside this
// one that removes it even if this one is killed.
func NewRunDir() (*RunDir, error) {
	path, err := os.MkdirTemp("", "backplane-")
	if err != nil {
		return nil, fmt.Errorf("make a run folder: %w (TMPDIR can name another place)", err)
	}
	r := &RunDir{path: path, sweeper: exec.Command("/bin/sh", "-c", sweep, "sh", path)}
	r.sweeper.Dir = "/"
	r.sweeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no signal from the terminal reaches it
	if r.lease, err = r.sweeper.StdinPipe(); err == nil {
		err = r.sweeper.Start()
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, fmt.Errorf("guard the run folder %s: %w", path, err)
	}
	return r, nil
}

// Board makes and names the folder of one board.
func (r *RunDir) Board(name string) (string, error) {
	dir := filepath.Join(r.path, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("board %s: make its run folder: %w", name, err)
	}
	return dir, nil
}

// Close removes the folder. The guests that use it must have ended.
func (r *RunDir) Close() error {
	r.lease.Close()
	_ = r.sweeper.Wait() // its work is checked here
	if err := os.RemoveAll(r.path); err != nil {
		return fmt.Errorf("remove the run folder: %w", err)
	}
	return nil
}
