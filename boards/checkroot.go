package boards

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"backplane/boards/tomlfile"
	"backplane/firmware/config"
	"backplane/guest/rootfs"
)

// notMountable says what is wrong with a file where init is to mount something.
const notMountable = "%s is a file; it must be a folder or absent: the board's init mounts %s there"

// mountPoints finds files in the layers of a root file system that are in the way of what
// init mounts. Those in archives are found when they are packed.
func (c *checker) mountPoints(layers []string) {
	for _, m := range config.Mounts {
		if path.Dir(m.Dir) != "/" {
			continue // its folder is mounted as well
		}
		at, file := -1, ""
		for i, layer := range layers {
			name := filepath.Join(c.b.Beside(layer), m.Dir)
			if info, err := os.Stat(c.b.Beside(layer)); err == nil && !info.IsDir() {
				at = -1 // it may have a folder of that name
			} else if info, err := os.Lstat(name); err == nil && info.Mode()&os.ModeSymlink == 0 {
				if at, file = i, name; info.IsDir() {
					at = -1
				}
			}
		}
		if at >= 0 {
			c.doc.Add(fmt.Sprintf("firmware.rootfs[%d]", at), notMountable, file, m.FS)
		}
	}
}

// mountable checks the same of what was packed.
func (b *Board) mountable(p *rootfs.Packer) error {
	for _, mount := range config.Mounts {
		if path.Dir(mount.Dir) == "/" && !p.Mountable(mount.Dir) {
			return tomlfile.Problems{b.doc.Problem("firmware.rootfs", notMountable, mount.Dir, mount.FS)}
		}
	}
	return nil
}
