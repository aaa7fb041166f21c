package main

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
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
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		fail("%v", err)
		return
	}
	if err := unix.Mount(m.Source, m.Dir, m.FS, m.Flags, m.Data); err != nil && err != unix.EBUSY {
		fail("mount %s on %s: %v", m.Source, m.Dir, err)
	}
}

// alias gives a device one more name: a node of the same number, so that
// programs which look at what the name leads to see a device.
func alias(d config.Device) error {
	var st unix.Stat_t
	if err := unix.Stat(d.Target, &st); err != nil {
		return &os.PathError{Op: "find", Path: d.Target, Err: err}
	}
	_ = os.Remove(d.Name)
	if err := unix.Mknod(d.Name, st.Mode, int(st.Rdev)); err != nil {
		return err
	}
	if d.Hold {
		return hold(d.Name)
	}
	return nil
}

// hold keeps a console open for ever. Its driver would forget the settings of one
// that nobody has open, and a UART's does not: `stty -F` in a script
// must last for the next command. Echo is off until a program wants it.
func hold(name string) error {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// nameChips links /dev/NAME to each GPIO controller's gpiochip.
func nameChips(names []string) {
	chips, _ := filepath.Glob("/sys/bus/gpio/devices/gpiochip*")
	sort.Slice(chips, func(i, j int) bool { return chipNumber(chips[i]) < chipNumber(chips[j]) })
	i := 0
	for _, chip := range chips {
		// A chip's own gpiochip, such as an I2C expander's, has another driver.
		driver := filepath.Base(realPath(filepath.Join(filepath.Dir(realPath(chip)), "driver")))
		if !strings.Contains(driver, "virtio") {
			continue
		}
		if i >= len(names) {
			return
		}
		_ = os.Symlink(filepath.Base(chip), filepath.Join("/dev", names[i])) // a controller may be called gpiochip0 itself
		i++
	}
}

func realPath(p string) string {
	r, err := filepath.EvalSymlinks(p)
	if err != nil {
		return p
	}
	return r
}

func chipNumber(path string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "gpiochip"))
	return n
}
