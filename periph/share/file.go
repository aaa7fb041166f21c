package share

import (
	"io"
	"os"
	"slices"
	"syscall"

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
