package guest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// RunDir is a folder for what exists only while guests run: sockets, device
// trees, initramfs images. It goes when this program ends, however it ends,
// and with it goes each process that works in it.
type RunDir struct {
	path    string
	lease   *os.File // the sweeper removes the folder when this is closed
	sweeper *exec.Cmd
}

// sweep waits until nobody holds the other end of its input any more, then
// removes the folder. Guests that are dying may still add to it meanwhile.
//
// Unless it was told that the folder is to be closed in order, it then kills what
// works there, or has a part of it in its own root: a kernel whose maker was killed
// before prctl(PR_SET_PDEATHSIG) would not die with it. None escapes: until it executes
// the kernel, behind its walls, a process holds the other end of the input as well.
const sweep = `how= also=
while [ -z "$how" ] && IFS= read -r line; do
	case $line in
	closed) how=closed ;;
	"also "*) also="$also${line#also }
" ;;
	esac
done
[ -n "$how" ] || printf %s "$also" | while IFS= read -r file; do rm -f -- "$file"; done
work() {
	{
		ls -l /proc/[0-9]*/cwd 2>/dev/null | while read -r line; do
			case $line in *"/cwd -> $1/"*) echo "/proc/${line#*/proc/}" ;; esac
		done
		grep -lF "/${1##*/}/" /proc/[0-9]*/mountinfo 2>/dev/null
	} | {
		some=1
		while read -r file; do
			pid=${file#/proc/}
			kill -9 "${pid%%/*}" 2>/dev/null && some=0
		done
		return $some
	}
}
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ "$how" = closed ] || ! work "$1"
	idle=$?
	rm -rf -- "$1" 2>/dev/null && [ $idle = 0 ] && break
	sleep 0.2
done`

// NewRunDir makes a run folder under TMPDIR and posts a process beside this
// one that removes it even if this one is killed.
func NewRunDir() (*RunDir, error) {
	tmp, err := real(os.TempDir())
	if err != nil {
		return nil, fmt.Errorf("find the place for a run folder: %w (TMPDIR can name another one)", err)
	}
	if err := safe(tmp); err != nil {
		return nil, fmt.Errorf("make a run folder: %w (TMPDIR can name another place)", err)
	}
	// The sweeper comes first, so that there is no folder without one. Nobody else
	// has a folder of this name.
	path := filepath.Join(tmp, "backplane-"+strconv.FormatUint(number(), 10))
	r := &RunDir{path: path, sweeper: exec.Command("/bin/sh", "-c", sweep, "sh", path)}
	r.sweeper.Dir = "/"
	r.sweeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no signal from the terminal reaches it
	input, lease, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("guard the run folder %s: %w", path, err)
	}
	r.sweeper.Stdin, r.lease = input, lease
	err = r.sweeper.Start()
	input.Close()
	if err != nil {
		return nil, fmt.Errorf("guard the run folder %s: %w", path, err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		_ = r.sweeper.Process.Kill() // it removes nothing that is not ours
		_ = r.sweeper.Wait()
		return nil, fmt.Errorf("make a run folder: %w (TMPDIR can name another place)", err)
	}
	return r, nil
}

// number is one that cannot be foretold.
func number() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.NativeEndian.Uint64(b[:])
}

// real is a folder's path as /proc has it.
func real(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// Guard is for processes that are to work in the folder and do not yet: the folder
// stays, and they are found, as long as one of them holds it.
func (r *RunDir) Guard() *os.File { return r.lease }

// Board makes and names the folder of one board.
func (r *RunDir) Board(name string) (string, error) {
	dir := filepath.Join(r.path, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make its run folder: %w", err)
	}
	return dir, nil
}

// Also lets another file go, by its absolute path, if this program is killed. Otherwise
// it is the caller's.
func (r *RunDir) Also(path string) {
	if !strings.Contains(path, "\n") { // else there is no line for it, and it stays
		_, _ = io.WriteString(r.lease, "also "+path+"\n") // without a sweeper it stays
	}
}

// Close removes the folder. The guests that use it must have ended. Where unconfined
// ones did, what they have left behind is ended too: only in a PID namespace does
// nothing outlive the kernel.
func (r *RunDir) Close(unconfined bool) error {
	if !unconfined {
		_, _ = io.WriteString(r.lease, "closed\n") // one that was not told has more to do
	}
	r.lease.Close()
	_ = r.sweeper.Wait() // its work is checked here
	if err := os.RemoveAll(r.path); err != nil {
		return fmt.Errorf("remove the run folder: %w", err)
	}
	return nil
}
