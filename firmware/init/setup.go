package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

func mountAll(board *config.Board) {
	for _, m := range config.Mounts {
		if m.Dir == config.Tmp && board.Root != nil && board.Handover {
			continue
		}
		mount(m)
	}
	for _, l := range [][2]string{{"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"}} {
		_ = os.Symlink(l[0], l[1]) // devtmpfs has it from an earlier time
	}
}

// mount mounts a file system on its folder, which it makes.
func mount(m config.Mount) {
	if err := mountOn(m); err != nil {
		fail("%v", err)
	}
}

func mountOn(m config.Mount) error {
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.Source, m.Dir, m.FS, m.Flags, m.Data); err != nil && err != unix.EBUSY {
		return fmt.Errorf("mount %s on %s: %w", m.Source, m.Dir, err)
	}
	return nil
}

// alias gives a device one more name: a node of the same number, so that
// programs which look at what the name leads to see a device.
func alias(d config.Device) error {
	var st unix.Stat_t
	if err := unix.Stat(d.Target, &st); err != nil {
		return &os.PathError{Op: "find", Path: d.Target, Err: err}
	}
	_ = os.Remove(d.Name)
	return unix.Mknod(d.Name, st.Mode, int(st.Rdev))
}

// hold keeps a console open for ever. Its driver would forget the settings of one
// that nobody has open, and a UART's does not: `stty -F` in a script
// must last for the next command. Echo is off until a program wants it.
func hold(name string) (fd int, err error) {
	fd, err = unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fd, err
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Lflag &^= unix.ECHO
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// nameChips links /dev/NAME to the gpiochip of each GPIO controller.
func nameChips(controllers []config.Chip) {
	chips, _ := filepath.Glob("/sys/bus/gpio/devices/gpiochip*")
	found := make(map[string]string)
	for _, chip := range chips {
		// Below the folder of its place and that of its device. A chip's own gpiochip, such
		// as an I2C expander's, is below none.
		found[filepath.Base(filepath.Dir(filepath.Dir(realPath(chip))))] = filepath.Base(chip)
	}
	for _, c := range controllers {
		link := filepath.Join("/dev", c.Name)
		chip := found[placeFolder+strings.ToLower(c.Place)]
		if old, err := os.Readlink(link); err == nil && old != chip {
			_ = os.Remove(link)
		}
		if chip != "" {
			_ = os.Symlink(chip, link) // a controller may be called gpiochip0 itself
		}
	}
}

func realPath(p string) string {
	r, err := filepath.EvalSymlinks(p)
	if err != nil {
		return p
	}
	return r
}
