// Package saved keeps, in one folder, all that a stopped appliance has kept in files of the
// host, and puts it back: what disks have written and what chips hold without power.
package saved

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"
)

// ManifestFile says what a folder has: each file is named as its part is, "board.part".
const ManifestFile = "saved.json"

// maxManifest is the most that it has, in bytes.
const maxManifest = 16 << 20

// Manifest is what ManifestFile has.
type Manifest struct {
	Backplane string        `json:"backplane"` // the revision that it was built from, or its hash
	Appliance string        `json:"appliance"` // the file, absolute
	Files     []record.Made `json:"files"`     // that describe it
	Kept      []Kept        `json:"kept"`
}

// Kept is what one part has kept.
type Kept struct {
	Part string `json:"part"`
	Hash string `json:"hash,omitempty"` // see [image.Hash]; empty: there was no file yet
}

// describe is what the appliance's files are.
func describe(a *boards.Appliance) (*Manifest, error) {
	m := &Manifest{Backplane: record.Revision()}
	var err error
	if m.Appliance, err = filepath.Abs(a.SourceFile()); err != nil {
		return nil, err
	}
	add := func(what, path string) {
		hash, e := record.HashFile(path)
		m.Files, err = append(m.Files, record.Made{What: what, Path: path, Hash: hash}), errors.Join(err, e)
	}
	add("the appliance's file", m.Appliance)
	for i := range a.Board {
		path, e := filepath.Abs(a.Board[i].Board.SourceFile())
		if err = errors.Join(err, e); path != m.Appliance {
			add("the file of board "+a.Board[i].Name, path)
		}
	}
	return m, err
}

// Save makes the folder. It is there when it is whole.
func Save(ctx context.Context, a *boards.Appliance, dir string) (*Manifest, error) {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%s is there already", dir)
	}
	m, err := describe(a)
	if err != nil {
		return nil, err
	}
	making, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(making)
	var open []*os.File // none of them changes before all are copied
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for _, k := range a.Keepers() {
		f, err := hostfile.OpenShared(k.Path, a.Folder().Open)
		if errors.Is(err, fs.ErrNotExist) {
			m.Kept = append(m.Kept, Kept{Part: k.Part})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.Part, err)
		}
		open = append(open, f)
		hash, err := makeCopy(ctx, filepath.Join(making, k.Part), f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.Part, err)
		}
		m.Kept = append(m.Kept, Kept{k.Part, hash})
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = hostfile.Replace(filepath.Join(making, ManifestFile), append(text, '\n'))
	}
	if err == nil {
		err = errors.Join(os.Chmod(making, 0o755), settle(filepath.Join(making, ManifestFile)), settle(making))
	}
	if err == nil {
		err = os.Rename(making, dir)
	}
	if err == nil {
		err = settle(filepath.Dir(dir))
	}
	return m, err
}

// makeCopy makes a new file that is a copy, and tells its hash.
func makeCopy(ctx context.Context, name string, from *os.File) (hash string, err error) {
	to, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	hash, err = copyTo(ctx, to, from)
	return hash, errors.Join(err, to.Close())
}

// copyTo fills a new file, on the host's disk, and tells its hash.
func copyTo(ctx context.Context, to, from *os.File) (hash string, err error) {
	if err := image.Copy(ctx, to, 0, from); err != nil {
		return "", err
	}
	if err := to.Sync(); err != nil {
		return "", err
	}
	return image.Hash(ctx, to)
}

// settle has a file or folder be on the host's disk.
func settle(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Load reads what a folder has.
func Load(dir string) (*Manifest, error) {
	text, err := hostfile.Read(filepath.Join(dir, ManifestFile), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: 'backplane state save' makes such a folder", dir, ManifestFile)
	}
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestFile), err)
	}
	if m.Appliance == "" {
		return nil, fmt.Errorf("%s does not say whose state it is, as that of 'backplane state save' does", filepath.Join(dir, ManifestFile))
	}
	return m, nil
}

// ChangedError says that the appliance is not the one of which was saved.
type ChangedError struct{ What []string }

func (e *ChangedError) Error() string {
	return "the appliance is not what it was when it was saved:\n" + strings.Join(e.What, "\n")
}

// differs says what of the appliance's files is another now.
func (m *Manifest) differs(a *boards.Appliance) error {
	now, err := describe(a)
	if err != nil {
		return err
	}
	is, e := make(map[string]record.Made), &ChangedError{}
	for _, f := range now.Files {
		is[f.What] = f
	}
	for _, was := range m.Files {
		switch f, there := is[was.What]; {
		case !there:
			e.What = append(e.What, was.What+" is no longer part of it: it was "+was.Path)
		case f.Hash != was.Hash:
			e.What = append(e.What, fmt.Sprintf("%s has changed: %s", was.What, f.Path))
		}
		delete(is, was.What)
	}
	for _, f := range now.Files {
		if _, new := is[f.What]; new {
			e.What = append(e.What, fmt.Sprintf("%s is new: %s", f.What, f.Path))
		}
	}
	if len(e.What) > 0 {
		return e
	}
	return nil
}
