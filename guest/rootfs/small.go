package rootfs

import (
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strings"
	"sync"
)

// ErrNoBusybox is what [Packer.Small]'s error wraps where this machine has none.
var ErrNoBusybox = errors.New("there is no static busybox on this machine (apt-get install busybox-static)")

// Small adds a shell and what goes with it, for a board without a root of its own:
// this machine's busybox, under all its names.
func (p *Packer) Small() error {
	small, err := smallRoot()
	if err != nil {
		return err
	}
	if err := p.Add(File{Path: "/bin/busybox", Mode: 0o755, Host: small.program}); err != nil {
		return err
	}
	to := p.find("bin/busybox")
	for _, name := range small.names {
		if name == "busybox" || name != path.Base(name) {
			continue
		}
		if err := p.link(&entry{name: "bin/" + name, mode: to.mode, mtime: epoch}, to, nil); err != nil {
			return err
		}
	}
	return nil
}

// smallRoot finds this machine's busybox, once: each board without a root has it.
var smallRoot = sync.OnceValues(func() (small struct {
	program string
	names   []string
}, err error) {
	file, err := busybox()
	if err != nil {
		return small, err
	}
	list, err := exec.Command(file, "--list").Output()
	if err != nil {
		return small, fmt.Errorf("list the programs of %s: %w", file, err)
	}
	small.program, small.names = file, strings.Fields(string(list))
	return small, nil
})

// busybox finds one that needs no libraries.
func busybox() (file string, err error) {
	for _, name := range []string{"busybox", "/bin/busybox", "/usr/bin/busybox", "busybox-static"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if static(path) {
			return path, nil
		}
	}
	return "", ErrNoBusybox
}

// static tells whether a program is loaded by the kernel alone.
func static(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}
