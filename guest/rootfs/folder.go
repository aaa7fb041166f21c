package rootfs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func (p *Packer) folder(root string) error {
	root, err := filepath.EvalSymlinks(root) // which WalkDir does not follow
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return p.file(file, filepath.ToSlash(name), info)
	})
}

func (p *Packer) file(file, name string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its kind of file is not known here", file)
	}
	e := &entry{name: name, mode: st.Mode, mtime: info.ModTime()}
	switch {
	case info.Mode().IsRegular():
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		e.size = info.Size()
		_, err = p.add(e, f, keepFolders)
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
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
