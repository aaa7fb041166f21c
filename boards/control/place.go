package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrPlace says that there can be no control sockets where this user's are.
var ErrPlace = errors.New("the folder for control sockets")

// place is the folder of this user's control sockets.
type place struct {
	dir      string
	variable string // of the environment, which names it or where it is
}

// suffix ends the name of a socket; before it is the appliance's.
const suffix = ".sock"

// findPlace is where this user's sockets are, if nobody else can put some there: in
// $XDG_RUNTIME_DIR, else in TMPDIR. There may be no such folder yet.
func findPlace() (place, error) {
	p := place{filepath.Join(os.TempDir(), "backplane-user-"+strconv.Itoa(os.Getuid())), "TMPDIR"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		p = place{filepath.Join(dir, "backplane"), "XDG_RUNTIME_DIR"}
		if !filepath.IsAbs(dir) { // clients would look for it elsewhere
			return p, fmt.Errorf("%w: XDG_RUNTIME_DIR is %q; it must be an absolute path", ErrPlace, dir)
		}
	}
	if err := private(p.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, p.wrong(err)
	}
	return p, nil
}

// make makes the folder if need be, for its user alone. What XDG_RUNTIME_DIR names is
// made with it, as the XDG Base Directory Specification has it; a TMPDIR is there.
func (p place) make() error {
	mkdir := os.Mkdir
	if p.variable != "TMPDIR" {
		mkdir = os.MkdirAll
	}
	if err := mkdir(p.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return p.wrong(err)
	}
	if err := private(p.dir); err != nil {
		return p.wrong(err)
	}
	return nil
}

// wrong says what is wrong with the folder, and what can name another one.
func (p place) wrong(err error) error {
	return fmt.Errorf("%w: %w (%s can name another place)", ErrPlace, err, p.variable)
}

// private checks that nobody but this user can put things into the folder:
// under a shared TMPDIR another one could have made it first.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: it must be a folder of this user", dir)
	case !ok || int(st.Uid) != os.Getuid():
		return fmt.Errorf("the folder %s belongs to another user", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the folder %s is open to other users: chmod 700 it", dir)
	}
	return nil
}

func (p place) socket(appliance string) string { return filepath.Join(p.dir, appliance+suffix) }

// maxAddress is how long a Unix socket's address may be, in bytes (unix(7)).
const maxAddress = 107

// reach calls f with an address of the socket: its path, or one that leads through its
// folder's descriptor, since an address holds little.
func reach(socket string, f func(address string) error) error {
	if len(socket) <= maxAddress {
		return f(socket)
	}
	dir, err := unix.Open(filepath.Dir(socket), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(socket), Err: err}
	}
	defer unix.Close(dir)
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(socket)))
}
