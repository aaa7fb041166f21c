package rootfs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

// pseudo are the file systems that hold no files to copy (statfs(2)): what they have
// is made up as it is read, without an end or with effects.
var pseudo = map[int64]string{
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.DEBUGFS_MAGIC: "debugfs", unix.TRACEFS_MAGIC: "tracefs",
	unix.CGROUP_SUPER_MAGIC: "cgroup", unix.CGROUP2_SUPER_MAGIC: "cgroup", unix.DEVPTS_SUPER_MAGIC: "devpts", unix.SECURITYFS_MAGIC: "securityfs",
	unix.BPF_FS_MAGIC: "bpf",
}

// checkFolder says why a folder cannot be copied.
func checkFolder(name string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	if system := pseudo[int64(st.Type)]; system != "" {
		return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("is on the file system %s, which has no files to copy", system)}
	}
	if err := unix.Access(name, unix.R_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return nil
}

// folder adds what a folder holds. Whoever changes it meanwhile, nothing is read that
// lies elsewhere.
func (p *Packer) folder(path string) error {
	root, err := p.within.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		file := filepath.Join(path, name)
		if info.IsDir() {
			if err := checkFolder(file); err != nil {
				return err
			}
		}
		return p.file(root, file, name, info)
	})
}

func (p *Packer) file(root *os.Root, file, name string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: unknown kind of file", file)
	}
	e := &entry{name: name, mode: st.Mode, mtime: info.ModTime()}
	switch {
	case info.Mode().IsRegular():
		f, err := hostfile.In(root, name)
		if err != nil {
			return err
		}
		defer f.Close()
		e.size = info.Size()
		_, err = p.add(e, f, keepFolders)
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		e.size = int64(len(target))
		_, err = p.add(e, strings.NewReader(target), keepFolders)
		return err
	case info.Mode()&fs.ModeDevice != 0:
		e.major, e.minor = uint32(st.Rdev>>8&0xfff), uint32(st.Rdev&0xff|st.Rdev>>12&0xfff00)
	}
	_, err := p.add(e, nil, keepFolders)
	return err
}
