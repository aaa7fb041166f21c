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

// memoryFile is a file without a name in TMPDIR, for a guest's memory: it goes with
// its last user.
func memoryFile() (*os.File, error) {
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "memory"), nil
	}
	if err != unix.EOPNOTSUPP && err != unix.EISDIR { // open(2): the second is what kernels say that know no O_TMPFILE
		return nil, err
	}
	f, err := os.CreateTemp(os.TempDir(), ".backplane-memory-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	return f, err
}

// stubFile is a memfd for the program in which the guest's processes begin.
func stubFile() (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("uml-userspace", flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3, where all can be executed
		fd, err = unix.MemfdCreate("uml-userspace", flags)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "uml-userspace"), nil
}
