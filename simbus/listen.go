package simbus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Listen makes a listening Unix stream socket that only its user can open, for a
// [Domain] to watch; the guest's time and its devices are reached on such. It is bound through its folder's file
// descriptor, since a socket's address holds no more than 107 bytes.
func Listen(path string) (fd int, err error) {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(path))
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err == nil {
		if err = os.Chmod(path, 0o600); err == nil {
			err = unix.Listen(fd, 4)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Gone tells whether accept(2) failed since whoever connected has gone again, or for
// nothing. Any other error, such as EMFILE, comes back as often as it is tried.
func Gone(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINTR)
}

// Peer is the process that connected a socket: one that has been given the connection
// since is not known.
func Peer(fd int) (pid int, err error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(c.Pid), nil
}
