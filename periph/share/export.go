package share

import (
	"errors"
	"hash/fnv"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

const (
	notSupported = uint32(unix.EOPNOTSUPP)
	readOnly     = uint32(unix.EROFS)
)

// changes are the types of messages that change a folder.
var changes = map[byte]bool{
	14:  true, // Tlcreate
	16:  true, // Tsymlink
	18:  true, // Tmknod
	20:  true, // Trename
	26:  true, // Tsetattr
	70:  true, // Tlink
	72:  true, // Tmkdir
	74:  true, // Trenameat
	76:  true, // Tunlinkat
	118: true, // Twrite
	122: true, // Tremove
}

// What one guest may have at once: each open file takes a descriptor of this program.
const (
	maxFiles = 32 << 10
	maxOpen  = 512
)

// export is what a session shows: what is below root, which no link leads out of.
type export struct {
	root     *os.Root
	writable bool

	mu          sync.Mutex
	files, open int
}

var _ p9.Attacher = (*export)(nil)

// Attach implements [p9.Attacher].
func (e *export) Attach() (p9.File, error) { return e.file(".") }

func (e *export) file(name string) (*file, error) {
	if !e.take(&e.files, maxFiles) {
		return nil, linux.ENFILE
	}
	return &file{export: e, path: name}, nil
}

// take counts one more, if that is not too many.
func (e *export) take(n *int, most int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if *n == most {
		return false
	}
	*n++
	return true
}

func (e *export) give(n *int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	*n--
}

// qid identifies a file to the guest. A guest that can only read sees the same number on any host.
func (e *export) qid(name string, st *syscall.Stat_t) p9.QID {
	q := p9.QID{Type: p9.FileMode(st.Mode).QIDType(), Version: uint32(st.Mtim.Nano() >> 10), Path: st.Ino}
	if !e.writable {
		h := fnv.New64a()
		h.Write([]byte(name))
		q.Path = h.Sum64()
	}
	return q
}

// attributes are what a guest sees of a file. All are root's, as in a root file system; a guest
// that can only read sees nothing that depends on the host's file system or on who read a file.
func (e *export) attributes(st *syscall.Stat_t) p9.Attr {
	const block = 512
	a := p9.Attr{
		Mode: p9.FileMode(st.Mode), NLink: p9.NLink(st.Nlink), RDev: p9.Dev(st.Rdev),
		Size: uint64(st.Size), BlockSize: 4096, Blocks: uint64(st.Blocks),
		ATimeSeconds: uint64(st.Atim.Sec), ATimeNanoSeconds: uint64(st.Atim.Nsec),
		MTimeSeconds: uint64(st.Mtim.Sec), MTimeNanoSeconds: uint64(st.Mtim.Nsec),
		CTimeSeconds: uint64(st.Ctim.Sec), CTimeNanoSeconds: uint64(st.Ctim.Nsec),
	}
	if e.writable {
		return a
	}
	a.ATimeSeconds, a.ATimeNanoSeconds = a.MTimeSeconds, a.MTimeNanoSeconds
	a.CTimeSeconds, a.CTimeNanoSeconds = a.MTimeSeconds, a.MTimeNanoSeconds
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		a.Size, a.NLink = 0, 1 // of a folder whose kernel does not count (Linux Documentation/filesystems)
	}
	a.Blocks = (a.Size + block - 1) / block
	return a
}

// known are the attributes that a file has here.
var known = p9.AttrMask{Mode: true, NLink: true, UID: true, GID: true, RDev: true, ATime: true, MTime: true, CTime: true, INo: true, Size: true, Blocks: true}

// cause is the error that the guest is told. Of the library's own type it is told as it is.
func cause(err error) error {
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.As(err, &errno):
		return linux.Errno(errno)
	case errors.Is(err, os.ErrNotExist):
		return linux.ENOENT
	case errors.Is(err, os.ErrExist):
		return linux.EEXIST
	case errors.Is(err, os.ErrInvalid):
		return linux.EINVAL
	}
	return linux.EACCES // a link that leads out of the folder
}

// join is a name in a folder; what is above the root is the root.
func join(folder, name string) string {
	if at := path.Join(folder, name); at != ".." {
		return at
	}
	return "."
}
