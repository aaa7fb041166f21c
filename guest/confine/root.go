package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// settle moves into the new root, or has Landlock stand in for it.
func (s *spec) settle() error {
	if s.Root == "" && s.Exec != "" {
		return s.landlock()
	} else if s.Root == "" {
		return nil
	}
	if err := s.newRoot(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf(refused+"%w", err) // seccomp filters and AppArmor profiles of containers do
	} else if err != nil {
		return err
	}
	if s.Dir == "" {
		return nil
	}
	if err := unix.Chdir(s.Dir); err != nil {
		return fmt.Errorf("change to the folder %s: %w", s.Dir, err)
	}
	return nil
}

// newRoot makes a root of nothing but the binds and a small folder for temporary files.
func (s *spec) newRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make its mounts private: %w", err)
	}
	// The root is mounted over one of the folders that are wanted in it, so these
	// are looked up before.
	sources := make([]int, len(s.Binds))
	for i, b := range s.Binds {
		fd, err := unix.Open(b.From, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", b.From, err)
		}
		sources[i] = fd
	}
	const safe = unix.MS_NOSUID | unix.MS_NODEV
	if err := unix.Mount("root", s.Root, "tmpfs", safe, "mode=755,size=64k,nr_inodes=64"); err != nil {
		return fmt.Errorf("mount its root: %w", err)
	}
	if err := os.Mkdir(s.Root+TempDir, 0o700); err != nil {
		return err
	}
	flags, size := uintptr(safe|unix.MS_NOEXEC), int64(64<<10)
	if s.Temp != 0 {
		flags, size = safe, s.Temp
	}
	if err := unix.Mount("tmp", s.Root+TempDir, "tmpfs", flags, fmt.Sprintf("mode=1777,size=%d,nr_inodes=16", size)); err != nil {
		return fmt.Errorf("mount its %s: %w", TempDir, err)
	}
	for i, b := range s.Binds {
		if err := b.mount(sources[i], s.Root); err != nil {
			return fmt.Errorf("bind %s into its root: %w", b.From, err)
		}
		unix.Close(sources[i])
	}
	if err := unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOEXEC|safe, ""); err != nil {
		return fmt.Errorf("make its root read-only: %w", err)
	}
	// The old root is on top of the new one then, and goes (pivot_root(2), notes).
	if err := unix.Chdir(s.Root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot its root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the host's root: %w", err)
	}
	return unix.Chdir("/")
}

// mount makes what fd is open for a part of root that can only be read.
func (b bind) mount(fd int, root string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	to := filepath.Join(root, b.To)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
	} else {
		place, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		place.Close()
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	if !b.Exec {
		flags |= unix.MS_NOEXEC
	}
	// A mount's flags that its host has set cannot be taken away.
	var fs unix.Statfs_t
	if err := unix.Statfs(to, &fs); err != nil {
		return err
	}
	for has, flag := range map[int64]uintptr{unix.ST_NOEXEC: unix.MS_NOEXEC, unix.ST_NOATIME: unix.MS_NOATIME,
		unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME} {
		if fs.Flags&has != 0 {
			flags |= flag
		}
	}
	return unix.Mount("", to, "", flags, "")
}
