package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Folder is a folder out of which no file is opened, whatever its name and the links on
// the way say. A nil Folder is all of the host.
type Folder struct {
	path string // without links
	root *os.Root
}

// OpenFolder opens one.
func OpenFolder(name string) (*Folder, error) {
	path, err := Resolve(name)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Folder{path, root}, nil
}

// within is the name, without links, that a path of the host has in the folder.
func (d *Folder) within(name string) (string, error) {
	path, err := Resolve(name)
	if err != nil {
		return "", err
	}
	inner, err := filepath.Rel(d.path, path)
	if err != nil || !filepath.IsLocal(inner) {
		return "", &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("is %s; it must be in %s: --restrict allows no other file", path, d.path)}
	}
	return inner, nil
}

// Within says why a path of the host does not lie in the folder. There need be nothing there.
func (d *Folder) Within(name string) error {
	if d == nil {
		return nil
	}
	_, err := d.within(name)
	return err
}

// Open is [Open] in the folder. Who changes a link meanwhile gets nothing from outside.
func (d *Folder) Open(name string) (*os.File, error) {
	if d == nil {
		return Open(name)
	}
	inner, err := d.within(name)
	if err != nil {
		return nil, err
	}
	return In(d.root, inner)
}

// Read is [Read] in the folder.
func (d *Folder) Read(name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	return ReadFile(f, name, limit)
}

// Check is [Check] in the folder.
func (d *Folder) Check(name string) error {
	if err := d.Within(name); err != nil {
		return err
	}
	return Check(name)
}

// OpenRoot opens a folder that is in this one.
func (d *Folder) OpenRoot(name string) (*os.Root, error) {
	if d == nil {
		return os.OpenRoot(name)
	}
	inner, err := d.within(name)
	if err != nil {
		return nil, err
	}
	return d.root.OpenRoot(inner)
}

// CheckTree finds, in a folder that is in this one, a link that leads out of this one.
func (d *Folder) CheckTree(path string) error {
	if d == nil {
		return nil
	}
	root, err := d.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink == 0 {
			return err
		}
		return d.Within(filepath.Join(path, name))
	})
}

// In opens a regular file in a folder for reading, as [Open] does.
func In(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err == nil {
		err = regular(name, info) // before it is opened, which does things to devices
	}
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|atOnce, 0)
	if err != nil {
		return nil, err
	}
	return still(f, name)
}

// maxLinks is how many symbolic links the kernel follows in a name (path_resolution(7)).
const maxLinks = 40

// Resolve is where a name leads: absolute and without links. There need be nothing there.
func Resolve(name string) (string, error) { return resolve(name, maxLinks) }

func resolve(name string, links int) (string, error) {
	name, err := absolute(name)
	if err != nil {
		return "", err
	}
	path, err := filepath.EvalSymlinks(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	dir, base := filepath.Split(strings.TrimRight(name, "/"))
	if base == ".." { // of nothing that is there
		return "", err
	}
	if dir, err = resolve(dir, links); err != nil {
		return "", err
	}
	path = filepath.Join(dir, base)
	to, err := os.Readlink(path)
	switch {
	case err != nil: // nothing is there
		return path, nil
	case links == 0:
		return "", &fs.PathError{Op: "open", Path: name, Err: unix.ELOOP}
	case !filepath.IsAbs(to):
		to = dir + "/" + to
	}
	return resolve(to, links-1)
}

// absolute is [filepath.Abs] with all of the name, in which a link may stand before "..".
func absolute(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	dir, err := os.Getwd()
	return dir + "/" + name, err
}
