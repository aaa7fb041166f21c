package appliance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"backplane/boards/record"
	"backplane/boards/tomlfile"
	"backplane/periph"
)

// show gives a controller its folder of the host, and notes for the record what is in it at
// the start.
func (m *Machine) show(p *part, to periph.Folder) error {
	path, writable, ok := m.board.Folder(p.table)
	switch {
	case !ok:
		return errors.New("its table does not name a folder")
	case writable && m.r.opts.Copies:
		return tomlfile.Problems{m.board.ProblemIn(p.table, "writable",
			"%s.%s is a folder that its board may change (writable = true): this cannot be in a run that leaves the host's files as they are (--verify, --restrict, replay)", m.name, p.name)}
	}
	root, err := m.r.appliance.Folder().OpenRoot(path)
	if err != nil {
		return err
	}
	to.Show(root)
	if m.r.opts.Out == "" {
		return nil
	}
	hash, err := hashFolder(root.FS())
	m.kept[p.name] = record.Made{What: "folder of " + m.name + "." + p.name, Path: path, Hash: hash}
	return err
}

// hashFolder is the SHA-256 of names, modes and contents of what is in a folder. Times and
// owners, which other copies of it do not have, are left out.
func hashFolder(folder fs.FS) (string, error) {
	all := sha256.New()
	err := fs.WalkDir(folder, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%q %v", name, info.Mode())
		switch {
		case info.Mode().IsRegular():
			fmt.Fprintf(all, " %d ", info.Size())
			return hashInto(all, folder, name)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := fs.ReadLink(folder, name)
			fmt.Fprintf(all, " %q", to)
			return err
		}
		return nil
	})
	return hex.EncodeToString(all.Sum(nil)), err
}

func hashInto(all io.Writer, folder fs.FS, name string) error {
	f, err := folder.Open(name)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		return nil // the guest cannot read it either
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(all, f)
	return err
}
