package main

import (
	"fmt"
	"os"

	"backplane/firmware/agentproto"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal for a program (pty(7)): the program's end, and ours.
func openTerminal(size agentproto.Size) (inner, outer *os.File, err error) {
	outer, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	var number uint32
	err = control(outer, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		number = n
		return err
	})
	if err == nil {
		err = resize(outer, size)
	}
	if err == nil {
		inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		outer.Close()
		return nil, nil, fmt.Errorf("make a terminal: %w", err)
	}
	return inner, outer, nil
}

// resize tells the programs on a terminal of its size.
func resize(tty *os.File, size agentproto.Size) error {
	return control(tty, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: size.Cols, Row: size.Rows})
	})
}

// control calls f with a file's descriptor, and leaves that to the poller.
func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = do(int(fd)) }); e != nil {
		return e
	}
	return err
}
