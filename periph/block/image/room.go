package image

import "golang.org/x/sys/unix"

// Room is what an overlay may take of the host beyond what it has.
type Room struct {
	File   string // the overlay's, or the folder that it is in without a name
	Device uint64 // tells file systems apart
	Grows  uint64 // how many bytes its file can come to take
	Free   uint64 // how many its file system has left
}

// Room is the overlay's. It is empty if the host does not say.
func (o *Overlay) Room() (r Room) {
	f, ok := o.f.(hostFile)
	if !ok {
		return r
	}
	var st unix.Stat_t
	var system unix.Statfs_t
	if unix.Fstat(int(f.Fd()), &st) != nil || unix.Fstatfs(int(f.Fd()), &system) != nil {
		return r
	}
	return Room{f.Name(), st.Dev, uint64(max(0, o.Size()-o.Allocated())), system.Bavail * uint64(system.Bsize)}
}
