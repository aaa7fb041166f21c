package share

import (
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// file is a file or a folder that the guest has walked to. It is a [p9.File].
type file struct {
	p9.DefaultWalkGetAttr
	export  *export
	path    string   // below the root; "." is that
	opened  *os.File // nil before it is opened
	entries []string // of an open folder, in order
}

var _ p9.File = (*file)(nil)

// stat looks at what is opened, which may have no name any more, or at what has the name.
func (f *file) stat() (*syscall.Stat_t, error) {
	var info os.FileInfo
	var err error
	if f.opened != nil {
		info, err = f.opened.Stat()
	} else {
		info, err = f.export.root.Lstat(f.path)
	}
	if err != nil {
		return nil, cause(err)
	}
	return info.Sys().(*syscall.Stat_t), nil
}

func (f *file) qid() (p9.QID, error) {
	st, err := f.stat()
	if err != nil {
		return p9.QID{}, err
	}
	return f.export.qid(f.path, st), nil
}

// Walk implements [p9.File].
func (f *file) Walk(names []string) (qids []p9.QID, to p9.File, err error) {
	at := f.path
	for _, name := range names {
		at = join(at, name)
		qid, err := (&file{export: f.export, path: at}).qid()
		if err != nil {
			return nil, nil, err
		}
		qids = append(qids, qid)
	}
	walked, err := f.export.file(at)
	if err != nil {
		return nil, nil, err
	}
	return qids, walked, nil
}

// StatFS implements [p9.File]. How full the host's disk is, is nothing that a guest that can only read sees.
func (f *file) StatFS() (p9.FSStat, error) {
	const magic, longest = 0x01021997, 255 // V9FS_MAGIC, NAME_MAX
	s := p9.FSStat{Type: magic, BlockSize: 4096, NameLength: longest}
	if !f.export.writable {
		return s, nil
	}
	folder, err := f.export.root.Open(".")
	if err != nil {
		return s, cause(err)
	}
	defer folder.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(folder.Fd()), &st); err != nil {
		return s, err
	}
	s.BlockSize, s.Blocks, s.BlocksFree, s.BlocksAvailable = uint32(st.Bsize), st.Blocks, st.Bfree, st.Bavail
	s.Files, s.FilesFree = st.Files, st.Ffree
	return s, nil
}

// GetAttr implements [p9.File].
func (f *file) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	st, err := f.stat()
	if err != nil {
		return p9.QID{}, p9.AttrMask{}, p9.Attr{}, err
	}
	return f.export.qid(f.path, st), known, f.export.attributes(st), nil
}

// Close implements [p9.File].
func (f *file) Close() error {
	f.export.give(&f.export.files)
	if f.opened == nil {
		return nil
	}
	f.export.give(&f.export.open)
	return f.opened.Close()
}

// Open implements [p9.File]. Only files and folders are opened: of others the guest's kernel is
// the one that has them open, and a pipe of the host could let it wait.
func (f *file) Open(flags p9.OpenFlags) (p9.QID, uint32, error) {
	st, err := f.stat()
	if err != nil {
		return p9.QID{}, 0, err
	}
	if kind := st.Mode & syscall.S_IFMT; kind != syscall.S_IFREG && kind != syscall.S_IFDIR {
		return p9.QID{}, 0, linux.ENXIO
	}
	mode := flags.OSFlags() | int(flags)&unix.O_TRUNC
	if mode != os.O_RDONLY && !f.export.writable {
		return p9.QID{}, 0, linux.EROFS
	}
	if f.opened, err = f.export.openFile(f.path, mode|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0); err != nil {
		return p9.QID{}, 0, err
	}
	return f.export.qid(f.path, st), 0, nil
}

func (e *export) openFile(name string, flags int, perm os.FileMode) (*os.File, error) {
	if !e.take(&e.open, maxOpen) {
		return nil, linux.ENFILE
	}
	opened, err := e.root.OpenFile(name, flags, perm)
	if err != nil {
		e.give(&e.open)
		return nil, cause(err)
	}
	return opened, nil
}

// ReadAt implements [p9.File].
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.opened.ReadAt(p, offset)
	if err == io.EOF {
		return n, nil
	}
	return n, cause(err)
}

// WriteAt implements [p9.File].
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.opened.WriteAt(p, offset)
	return n, cause(err)
}

// FSync implements [p9.File].
func (f *file) FSync() error { return cause(f.opened.Sync()) }

// Readdir implements [p9.File]. Names are in their order, whatever the host's file system has.
func (f *file) Readdir(offset uint64, count uint32) (list p9.Dirents, err error) {
	if offset == 0 || f.entries == nil {
		if f.entries, err = f.names(); err != nil {
			return nil, err
		}
	}
	const least = 24 // of an entry, in bytes
	for i := offset; i < uint64(len(f.entries)) && uint64(len(list)) < uint64(count)/least; i++ {
		name := f.entries[i]
		at := &file{export: f.export, path: join(f.path, name)} // ".." of the root is the root
		qid, err := at.qid()
		if err != nil {
			continue // it has gone meanwhile
		}
		list = append(list, p9.Dirent{QID: qid, Offset: i + 1, Type: qid.Type, Name: name})
	}
	return list, nil
}

func (f *file) names() ([]string, error) {
	if _, err := f.opened.Seek(0, io.SeekStart); err != nil {
		return nil, cause(err)
	}
	names, err := f.opened.Readdirnames(-1)
	slices.Sort(names)
	return append([]string{".", ".."}, names...), cause(err)
}

// Readlink implements [p9.File].
func (f *file) Readlink() (string, error) {
	to, err := f.export.root.Readlink(f.path)
	return to, cause(err)
}

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

// Lock implements [p9.File]: the guest's kernel has taken it among its own programs.
func (f *file) Lock(int, p9.LockType, p9.LockFlags, uint64, uint64, string) (p9.LockStatus, error) {
	return p9.LockStatusOK, nil
}

// SetXattr implements [p9.File]. Attributes of that kind are refused before they come here.
func (f *file) SetXattr(string, []byte, p9.XattrFlags) error { return linux.EOPNOTSUPP }

// GetXattr implements [p9.File].
func (f *file) GetXattr(string) ([]byte, error) { return nil, linux.EOPNOTSUPP }

// ListXattrs implements [p9.File].
func (f *file) ListXattrs() ([]string, error) { return nil, linux.EOPNOTSUPP }

// RemoveXattr implements [p9.File].
func (f *file) RemoveXattr(string) error { return linux.EOPNOTSUPP }
