package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unsafe"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

func mountAll() {
	for _, m := range []struct {
		dir, fs, data string
		flags         uintptr
	}{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev", "devtmpfs", "mode=755", unix.MS_NOSUID},
		{"/dev/pts", "devpts", "mode=620,gid=5", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"/run", "tmpfs", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
		{"/tmp", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			complain("%v", err)
			continue
		}
		if err := unix.Mount(m.fs, m.dir, m.fs, m.flags, m.data); err != nil && err != unix.EBUSY {
			complain("mount %s on %s: %v", m.fs, m.dir, err)
		}
	}
	for _, l := range [][2]string{{"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"}} {
		_ = os.Symlink(l[0], l[1]) // devtmpfs has it from an earlier time
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
	return hold(d.Name)
}

// hold keeps a port open for ever. Its driver would forget the settings of a
// port that nobody has open, and a real UART's does not: `stty -F` in a script
// must last for the next command. Echo is off until a program wants it, since
// nobody echoes on a real port that no program has opened.
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

func network(interfaces []config.Interface) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		complain("network: %v", err)
		return
	}
	defer unix.Close(fd)
	if err := up(fd, "lo"); err != nil {
		complain("lo: %v", err)
	}
	for _, i := range interfaces {
		if err := bringUp(fd, i); err != nil {
			complain("%s: %v", i.Name, err)
		}
	}
}

func bringUp(fd int, i config.Interface) error {
	found, err := byMAC(i.MAC)
	if err != nil {
		return err
	}
	if found != i.Name {
		if err := rename(fd, found, i.Name); err != nil {
			return err
		}
	}
	if i.Address != "" {
		p, err := netip.ParsePrefix(i.Address)
		if err != nil {
			return err
		}
		if p.Addr().Is4() {
			if err := setAddress(fd, i.Name, p); err != nil {
				return err
			}
		} else if err := setAddress6(i.Name, p); err != nil {
			return err
		}
	}
	return up(fd, i.Name)
}

func byMAC(mac string) (string, error) {
	addresses, err := filepath.Glob("/sys/class/net/*/address")
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if b, err := os.ReadFile(a); err == nil && strings.TrimSpace(string(b)) == mac {
			return filepath.Base(filepath.Dir(a)), nil
		}
	}
	return "", &os.PathError{Op: "find the interface with hardware address", Path: mac, Err: unix.ENODEV}
}

func up(fd int, name string) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// rename is SIOCSIFNAME on a struct ifreq with two names.
func rename(fd int, from, to string) error {
	var r [40]byte
	copy(r[:unix.IFNAMSIZ-1], from)
	copy(r[unix.IFNAMSIZ:2*unix.IFNAMSIZ-1], to)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFNAME, uintptr(unsafe.Pointer(&r[0]))); e != 0 {
		return e
	}
	return nil
}

func setAddress(fd int, name string, p netip.Prefix) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	addr := p.Addr().As4()
	if err := r.SetInet4Addr(addr[:]); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
		return err
	}
	mask := ^uint32(0) << (32 - p.Bits())
	if err := r.SetInet4Addr([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, r)
}

// setAddress6 is SIOCSIFADDR on a struct in6_ifreq (linux/ipv6.h).
func setAddress6(name string, p netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err != nil {
		return err
	}
	req := struct {
		addr  [16]byte
		bits  uint32
		index int32
	}{p.Addr().As16(), uint32(p.Bits()), int32(r.Uint32())}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&req))); e != 0 {
		return e
	}
	return nil
}
