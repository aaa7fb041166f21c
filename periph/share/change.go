package share

import (
	"os"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// SetAttr implements [p9.File]. All files are root's.
func (f *file) SetAttr(valid p9.SetAttrMask, a p9.SetAttr) error {
	root := f.export.root
	if valid.UID && a.UID != 0 || valid.GID && a.GID != 0 {
		return linux.EPERM
	}
	if valid.Size {
		if err := f.truncate(int64(a.Size)); err != nil {
			return cause(err)
		}
	}
	if valid.Permissions {
		if err := root.Chmod(f.path, mode(a.Permissions)); err != nil {
			return cause(err)
		}
	}
	if !valid.ATime && !valid.MTime {
		return nil
	}
	accessed, modified := time.Time{}, time.Time{} // as they are
	if valid.ATime {
		accessed = moment(valid.ATimeNotSystemTime, a.ATimeSeconds, a.ATimeNanoSeconds)
	}
	if valid.MTime {
		modified = moment(valid.MTimeNotSystemTime, a.MTimeSeconds, a.MTimeNanoSeconds)
	}
	return cause(root.Chtimes(f.path, accessed, modified))
}

func (f *file) truncate(size int64) error {
	if size < 0 {
		return unix.EFBIG
	}
	to, err := f.export.root.OpenFile(f.path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer to.Close()
	return to.Truncate(size)
}

// moment is the time that is said, or now.
func moment(said bool, sec, ns uint64) time.Time {
	if said {
		return time.Unix(int64(sec), int64(ns))
	}
	return time.Now()
}

// mode is a file's, without its type.
func mode(m p9.FileMode) os.FileMode {
	to := os.FileMode(m & 0o777)
	for bit, has := range map[p9.FileMode]os.FileMode{unix.S_ISUID: os.ModeSetuid, unix.S_ISGID: os.ModeSetgid, unix.S_ISVTX: os.ModeSticky} {
		if m&bit != 0 {
			to |= has
		}
	}
	return to
}

// Create implements [p9.File].
func (f *file) Create(name string, flags p9.OpenFlags, permissions p9.FileMode, _ p9.UID, _ p9.GID) (p9.File, p9.QID, uint32, error) {
	fail := func(err error) (p9.File, p9.QID, uint32, error) { return nil, p9.QID{}, 0, cause(err) }
	made, err := f.export.file(join(f.path, name))
	if err != nil {
		return fail(err)
	}
	made.opened, err = f.export.openFile(made.path, flags.OSFlags()|os.O_CREATE|int(flags)&(os.O_EXCL|os.O_TRUNC)|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		err = made.opened.Chmod(mode(permissions))
	}
	if err != nil {
		made.Close()
		return fail(err)
	}
	qid, err := made.qid()
	if err != nil {
		made.Close()
		return fail(err)
	}
	return made, qid, 0, nil
}

// made is the identity of what has just been made in this folder.
func (f *file) made(name string, err error) (p9.QID, error) {
	if err != nil {
		return p9.QID{}, cause(err)
	}
	return (&file{export: f.export, path: join(f.path, name)}).qid()
}

// Mkdir implements [p9.File].
func (f *file) Mkdir(name string, permissions p9.FileMode, _ p9.UID, _ p9.GID) (p9.QID, error) {
	at := join(f.path, name)
	err := f.export.root.Mkdir(at, 0o700)
	if err == nil {
		err = f.export.root.Chmod(at, mode(permissions))
	}
	return f.made(name, err)
}

// Symlink implements [p9.File]. Where it leads is a matter of the guest's kernel.
func (f *file) Symlink(target, name string, _ p9.UID, _ p9.GID) (p9.QID, error) {
	return f.made(name, f.export.root.Symlink(target, join(f.path, name)))
}

// Link implements [p9.File].
func (f *file) Link(target p9.File, name string) error {
	return cause(f.export.root.Link(target.(*file).path, join(f.path, name)))
}

// Mknod implements [p9.File]: it makes files, and no devices.
func (f *file) Mknod(name string, permissions p9.FileMode, _, _ uint32, _ p9.UID, _ p9.GID) (p9.QID, error) {
	if permissions&unix.S_IFMT != unix.S_IFREG {
		return p9.QID{}, linux.EPERM
	}
	made, err := f.export.root.OpenFile(join(f.path, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = made.Chmod(mode(permissions))
		made.Close()
	}
	return f.made(name, err)
}

// UnlinkAt implements [p9.File].
func (f *file) UnlinkAt(name string, flags uint32) error {
	at := join(f.path, name)
	info, err := f.export.root.Lstat(at)
	switch folder := flags&unix.AT_REMOVEDIR != 0; {
	case err != nil:
		return cause(err)
	case folder && !info.IsDir():
		return linux.ENOTDIR
	case !folder && info.IsDir():
		return linux.EISDIR
	}
	return cause(f.export.root.Remove(at))
}

// RenameAt implements [p9.File].
func (f *file) RenameAt(name string, folder p9.File, to string) error {
	return cause(f.export.root.Rename(join(f.path, name), join(folder.(*file).path, to)))
}

// Rename implements [p9.File]. The library calls RenameAt.
func (f *file) Rename(p9.File, string) error { return linux.EOPNOTSUPP }

// Renamed implements [p9.File].
func (f *file) Renamed(folder p9.File, name string) { f.path = join(folder.(*file).path, name) }
