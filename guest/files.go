package guest

import (
	"os"
	"path/filepath"

	"backplane/guest/confine"

	"golang.org/x/sys/unix"
)

// own lets the kernel at its folder where it runs as another user.
func (c *Config) own() error {
	if !confine.Drops() {
		return nil
	}
	return filepath.WalkDir(c.Dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, confine.Nobody, confine.Nobody)
	})
}

// stubFile is a memfd for the program in which the guest's processes begin.
func stubFile() (*os.File, error) { return memfd("uml-userspace", unix.MFD_ALLOW_SEALING) }

// memfd is one that can be executed.
func memfd(name string, flags int) (*os.File, error) {
	flags |= unix.MFD_CLOEXEC
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3, where all can be executed
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
