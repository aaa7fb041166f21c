package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

// places has a folder for each place of a controller, and in that one for the controller
// while it is plugged.
const places = "/sys/devices/platform"

// placeFolder begins the names of those folders.
const placeFolder = "virtio-"

// plugged tells whether there is anything in a controller's place.
func plugged(place string) bool { return there(place, "") }

// tagged tells whether the driver of a share's device has found what that is called.
func tagged(place string) bool { return there(place, "mount_tag") }

// there tells whether there is a device in a place, with an attribute if that is not empty.
func there(place, attribute string) bool {
	if place == "" {
		return true
	}
	dir := filepath.Join(places, placeFolder+strings.ToLower(place))
	if _, err := os.Stat(dir); err != nil {
		return true // whatever has it: the rest will tell
	}
	found, _ := filepath.Glob(filepath.Join(dir, "virtio*", attribute))
	return len(found) > 0
}

// plugging gives what is plugged the names and addresses that the board file says: at the
// start, and when something comes later.
type plugging struct {
	mu    sync.Mutex // guards what follows, once there is more than one who looks
	board *config.Board
	held  map[string]int // consoles that are open for ever, by name
	index map[string]int // of the interfaces that have come up
	names resolvers
}

func newPlugging(board *config.Board) *plugging {
	return &plugging{board: board, held: make(map[string]int), index: make(map[string]int)}
}

// begin names what is there at the start, and brings interfaces up.
func (p *plugging) begin() {
	for _, d := range p.board.Devices {
		if !plugged(d.Place) {
			continue
		}
		d.Target = tty(d)
		if err := p.alias(d); err != nil {
			fail("%s: %v", d.Name, err)
		}
	}
	nameChips(p.board.GPIO)
	var there []config.Interface
	for _, i := range p.board.Interfaces {
		if plugged(i.Place) {
			there = append(there, i)
		}
	}
	network(there, &p.names)
	p.note()
}

// note takes the interfaces that are there for ones that have come up.
func (p *plugging) note() {
	for _, i := range p.board.Interfaces {
		if found, err := net.InterfaceByName(i.Name); err == nil && found.HardwareAddr.String() == i.MAC {
			p.index[i.Name] = found.Index
		}
	}
}

// follow does the same for what comes later.
func (p *plugging) follow() {
	err := watchKernel(func(message []byte) {
		action, _, _ := bytes.Cut(message, []byte("@"))
		ours := bytes.Contains(message, []byte(places[len("/sys"):]+"/"+placeFolder))
		// a device came or went, or its driver has made something of it
		changes := slices.Contains([]string{"add", "bind", "remove"}, string(action))
		if message == nil || ours && changes {
			p.settle()
		}
	})
	if err != nil {
		complain("watch for what is plugged: %v", err)
	}
}

// add takes controllers that the board file does not have, in place of others of their names.
func (p *plugging) add(more *config.Board) {
	p.mu.Lock()
	for _, d := range more.Devices {
		p.board.Devices = replace(p.board.Devices, d, func(x config.Device) string { return x.Name })
	}
	for _, c := range more.GPIO {
		p.board.GPIO = replace(p.board.GPIO, c, func(x config.Chip) string { return x.Name })
	}
	for _, s := range more.Shares {
		p.board.Shares = replace(p.board.Shares, s, func(x config.Share) string { return x.Source })
	}
	for _, i := range more.Interfaces {
		p.board.Interfaces = replace(p.board.Interfaces, i, func(x config.Interface) string { return x.Name })
	}
	p.mu.Unlock()
	p.settle()
}

// replace puts one at the end of a list that has no other one of its name then.
func replace[T any](list []T, one T, name func(T) string) []T {
	return append(slices.DeleteFunc(list, func(x T) bool { return name(x) == name(one) }), one)
}

// settle looks at what is there now.
func (p *plugging) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.board.Devices {
		d.Target = tty(d)
		switch is, err := sameDevice(d.Name, d.Target); {
		case errors.Is(err, os.ErrNotExist): // nothing is plugged
			p.letGo(d.Name)
			_ = os.Remove(d.Name)
		case err == nil && !is:
			if err := p.alias(d); err != nil {
				complain("%s: %v", d.Name, err)
			}
		}
	}
	nameChips(p.board.GPIO)
	for _, m := range p.board.Shares {
		if !tagged(m.Place) || isMounted(m.Mount) {
			continue
		}
		if err := mountOn(m.Mount); err != nil && !errors.Is(err, unix.ENOENT) { // else the driver is not ready, and tells when it is
			complain("%v", err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		complain("network: %v", err)
		return
	}
	defer unix.Close(fd)
	for _, i := range p.board.Interfaces {
		name, err := byMAC(i.MAC)
		if err != nil {
			delete(p.index, i.Name)
			continue
		}
		found, err := net.InterfaceByName(name)
		if err != nil || p.index[i.Name] == found.Index {
			continue
		}
		p.index[i.Name] = found.Index
		if name != i.Name {
			err = rename(fd, name, i.Name)
		}
		if err != nil {
			complain("%s: %v", i.Name, err)
			continue
		}
		go p.bringUp(i)
	}
}

// bringUp may wait for others on the network.
func (p *plugging) bringUp(i config.Interface) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		err = bringUp(fd, i, &p.names)
	}
	if err == nil {
		err = p.names.write()
	}
	if err != nil {
		complain("%s: %v", i.Name, err)
	}
}

// tty is the tty that is in a device's place: the kernel may have given it another number than
// it would have had. Consoles are in no such place, and are what is said of them.
func tty(d config.Device) string {
	place := filepath.Join(places, placeFolder+strings.ToLower(d.Place), "virtio*")
	for _, below := range []string{"tty/*", "*/tty/*", "*/*/tty/*"} { // the port's controller and the port are devices, too
		if found, _ := filepath.Glob(filepath.Join(place, below)); len(found) == 1 {
			return "/dev/" + filepath.Base(found[0])
		}
	}
	return d.Target
}

// isMounted tells whether a file system is mounted on its folder: also one that fails, since what it is of has gone.
func isMounted(m config.Mount) bool {
	var dir, above unix.Stat_t
	switch err := unix.Stat(m.Dir, &dir); {
	case errors.Is(err, unix.ENOENT):
		return false
	case err != nil:
		return true
	}
	return unix.Stat(filepath.Dir(m.Dir), &above) == nil && dir.Dev != above.Dev
}

// sameDevice tells whether a name is that of a device's node. The error is the target's.
func sameDevice(name, target string) (bool, error) {
	var to, st unix.Stat_t
	if err := unix.Stat(target, &to); err != nil {
		return false, err
	}
	err := unix.Stat(name, &st)
	return err == nil && st.Rdev == to.Rdev, nil
}

// alias gives a device one more name, and keeps it open if it is to be.
func (p *plugging) alias(d config.Device) error {
	if err := alias(d); err != nil || !d.Hold {
		return err
	}
	p.letGo(d.Name)
	fd, err := hold(d.Name)
	if err == nil {
		p.held[d.Name] = fd
	}
	return err
}

// letGo closes a console that is open for ever: it has gone.
func (p *plugging) letGo(name string) {
	if fd, ok := p.held[name]; ok {
		unix.Close(fd)
		delete(p.held, name)
	}
}

// watchKernel calls f with each message of the kernel on devices (KOBJECT_UEVENT), and with
// none when some may have been lost. It returns when it has begun.
func watchKernel(f func(message []byte)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}) // the kernel's
	}
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 8<<10)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.ENOBUFS):
				f(nil)
			case err != nil:
				complain("read what the kernel says of devices: %v", err)
				return
			default:
				f(buf[:n])
			}
		}
	}()
	return nil
}
