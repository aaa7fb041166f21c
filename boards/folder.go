package boards

import (
	"os"

	"backplane/periph"
	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

// Folder is the folder of the host that a controller shows its guest, if it is one that does.
func (b *Board) Folder(c *Controller) (path string, writable, ok bool) {
	config, ok := c.Config.(periph.FolderConfig)
	if !ok {
		return "", false, false
	}
	path, writable = config.Folder()
	return c.beside(path), writable, true
}

// folder checks that the folder of the host is there, and that no other is at its place in the guest.
func (c *checker) folder(x *Controller) {
	path, writable, ok := c.b.Folder(x)
	if !ok {
		return
	}
	config := x.Config.(periph.FolderConfig)
	at := config.Mount("").Dir
	for _, other := range c.b.Controllers() {
		if other == x {
			break
		}
		if first, is := other.Config.(periph.FolderConfig); is && at == first.Mount("").Dir {
			c.doc.Add(x.at+".at", "at is %q, which is where the board has %s", at, other.Name)
		}
	}
	name, _ := config.Folder()
	if name == "" {
		return
	}
	err := c.paths.Add(c.doc, x.at+".path", name, path)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(path); err == nil && !info.IsDir() {
			err = unix.ENOTDIR
		}
	}
	if err == nil && writable {
		err = unix.Access(path, unix.W_OK)
	}
	if err != nil {
		c.doc.Add(x.at+".path", "%s: %v", path, hostfile.Cause(err))
	}
}
