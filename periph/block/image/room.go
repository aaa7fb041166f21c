package image

import (
	"os"

	"golang.org/x/sys/unix"
)

// Room is what a file may take of the host beyond what it has.
type Room struct {
	File   string // its name, or the folder that it is in without one
	Device uint64 // tells file systems apart
	Grows  uint64 // how many bytes the file can come to take
	Free   uint64 // how many its file system has left
}

// RoomFor is that of a file, or of one that is to be in a folder. It is empty if the host does not say.
func RoomFor(f *os.File, grows uint64) (r Room) {
	var st unix.Stat_t
	var system unix.Statfs_t
	if unix.Fstat(int(f.Fd()), &st) != nil || unix.Fstatfs(int(f.Fd()), &system) != nil {
		return r
	}
	return Room{f.Name(), st.Dev, grows, system.Bavail * uint64(system.Bsize)}
}

// Room is the overlay's.
func (o *Overlay) Room() (r Room) {
	f, ok := o.f.(hostFile)
	if !ok {
		return r
	}
	return RoomFor(f.File, uint64(max(0, o.Size()-o.Allocated())))
}
