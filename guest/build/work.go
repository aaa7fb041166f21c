package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// work is the folder of a build, or of a download, and the processes at work in
// it. Both go when this program ends, however it ends.
type work struct {
	Dir    string
	lease  io.Closer // the keeper clears up when this is closed
	keeper *exec.Cmd // leads the group of all processes at work
}

// keep waits until nobody holds the other end of its input any more, then ends
// the other processes of its group and removes the folder, to which those that
// are dying may still add. They end by SIGTERM, at which compilers remove their
// temporary files.
const keep = `trap "" TERM; cat >/dev/null; kill -TERM 0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do rm -rf -- "$1" 2>/dev/null && break; sleep 0.2; done`

// newWork makes a folder whose name begins with prefix.
func newWork(cache, prefix string) (*work, error) {
	dir, err := os.MkdirTemp(cache, prefix)
	if err != nil {
		return nil, err
	}
	w := &work{Dir: dir, keeper: exec.Command("/bin/sh", "-c", keep, "sh", dir)}
	w.keeper.Dir = "/"
	w.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // no signal from the terminal reaches it
	if w.lease, err = w.keeper.StdinPipe(); err == nil {
		err = w.keeper.Start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("guard the folder %s: %w", dir, err)
	}
	return w, nil
}

// group is the process group of all that works here.
func (w *work) group() int { return w.keeper.Process.Pid }

// end asks all that works here to end.
func (w *work) end() error { return unix.Kill(-w.group(), unix.SIGTERM) }

// kill ends what did not, and the keeper: close does its work.
func (w *work) kill() { _ = unix.Kill(-w.group(), unix.SIGKILL) }

func (w *work) close() {
	w.lease.Close()
	_ = w.keeper.Wait() // its status is that of a sleep or of a shell's loop
	os.RemoveAll(w.Dir)
}

// sweep removes what is left of works whose keepers were killed as well: while
// the lock is held nobody is at work.
func sweep(cache string) error {
	for _, pattern := range []string{"building-*", "fetching-*"} {
		left, err := filepath.Glob(filepath.Join(cache, pattern))
		if err != nil {
			return err
		}
		for _, dir := range left {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// Do does something in a folder of its own in the cache, which then goes, and logs it to a file.
func Do(ctx context.Context, cache, log string, do func(r *Runner) error) error {
	w, err := newWork(cache, "building-")
	if err != nil {
		return err
	}
	defer w.close()
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(&Runner{ctx: ctx, work: w, log: f})
}
