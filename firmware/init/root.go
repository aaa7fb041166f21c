package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"backplane/firmware/config"
	"backplane/firmware/volume"

	"golang.org/x/sys/unix"
)

// Folders of the initial file system where a root on a disk is put together.
const (
	newRoot  = "/newroot"
	lowerDir = "/lower"
	upperDir = "/upper"
)

// enterRoot makes the file system of a disk the root, with what is mounted already.
func enterRoot(board *config.Board) error {
	r := board.Root
	if r.Overlay == "" {
		if err := mountDisk(r.Device, newRoot, r.ReadOnly, r.Options); err != nil {
			return err
		}
	} else if err := mountOverlay(r); err != nil {
		return err
	}
	mounts, err := takeMounts()
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chdir(newRoot), unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."), os.Chdir("/")); err != nil {
		return fmt.Errorf("enter it: %w", err)
	}
	for _, m := range mounts {
		if err := m.put(); err != nil {
			return err
		}
	}
	return nil
}

// mountDisk mounts what a disk or a partition has.
func mountDisk(device, dir string, readOnly bool, options string) error {
	is, err := fileSystem(device)
	if err != nil {
		return err
	}
	flags := uintptr(0)
	if readOnly || is.ReadOnly {
		flags = unix.MS_RDONLY
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	switch err := unix.Mount(device, dir, is.Name, flags, options); {
	case err == unix.ENODEV:
		return fmt.Errorf("%s has %s, for which the kernel has no driver", device, is)
	case err != nil:
		return fmt.Errorf("mount %s, which has %s: %w", device, is, err)
	}
	return nil
}

// fileSystem finds out what a disk or a partition has.
func fileSystem(device string) (*volume.FileSystem, error) {
	f, err := os.Open(device)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: the disk has no such partition", device)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	is, err := volume.Identify(f, size)
	if err == nil && (is == nil || is.Name == "") {
		err = fmt.Errorf("%s has %s", device, is)
	}
	return is, err
}

// mountOverlay lays memory or another disk over a disk, which is not written to.
func mountOverlay(r *config.Root) error {
	if err := mountDisk(r.Device, lowerDir, true, r.Options); err != nil {
		return err
	}
	if r.Overlay == config.Memory {
		if err := errors.Join(os.MkdirAll(upperDir, 0o755), unix.Mount("tmpfs", upperDir, "tmpfs", 0, "mode=755")); err != nil {
			return err
		}
	} else if err := mountDisk(r.Overlay, upperDir, false, ""); err != nil {
		return err
	}
	upper, work := path.Join(upperDir, "upper"), path.Join(upperDir, "work")
	if err := errors.Join(os.MkdirAll(newRoot, 0o755), os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		return fmt.Errorf("overlay on %s: %w", r.Overlay, err)
	}
	if err := unix.Mount("overlay", newRoot, "overlay", 0, "lowerdir="+lowerDir+",upperdir="+upper+",workdir="+work); err != nil {
		return fmt.Errorf("lay %s over %s: %w", r.Overlay, r.Device, err)
	}
	return nil
}

// mounted is a mount that is taken along into another root.
type mounted struct {
	dir string
	fd  int
}

// takeMounts takes hold of what was mounted, with what is mounted in that.
func takeMounts() (list []mounted, err error) {
	for _, m := range config.Mounts {
		if strings.Count(m.Dir, "/") > 1 {
			continue
		}
		fd, err := unix.OpenTree(unix.AT_FDCWD, m.Dir, unix.OPEN_TREE_CLOEXEC)
		if errors.Is(err, unix.ENOENT) {
			continue // it is the new root's own
		}
		if err == nil {
			err = folder(newRoot + m.Dir)
		}
		if err != nil {
			return list, fmt.Errorf("take %s along: %w", m.Dir, err)
		}
		list = append(list, mounted{m.Dir, fd})
	}
	return list, nil
}

// folder makes a folder that is not there.
func folder(name string) error {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return os.Mkdir(name, 0o755)
	case !info.IsDir() && info.Mode()&fs.ModeSymlink == 0:
		return &fs.PathError{Op: "mount on", Path: name, Err: unix.ENOTDIR}
	}
	return nil
}

// put puts it where it was, in the root that there is now.
func (m *mounted) put() error {
	defer unix.Close(m.fd)
	if err := unix.MoveMount(m.fd, "", unix.AT_FDCWD, m.dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &fs.PathError{Op: "mount on", Path: m.dir, Err: err}
	}
	return nil
}
