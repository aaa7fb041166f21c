package saved

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"
)

// Restore puts back what a folder has, so that the next run begins with exactly that. All
// of it is checked, and on the host's disk, before the first file is replaced; each is replaced as
// a whole. If it is interrupted among those, it only has to be called again. Unless changed
// is set, the appliance's files have to be what they were.
func (m *Manifest) Restore(ctx context.Context, a *boards.Appliance, dir string, changed bool) (err error) {
	if !changed {
		if err := m.differs(a); err != nil {
			return err
		}
	}
	r := &restore{a: a, dir: dir}
	defer func() { err = errors.Join(err, r.close()) }()
	saved := make(map[string]Kept)
	for _, k := range m.Kept {
		saved[k.Part] = k
	}
	for _, k := range a.Keepers() {
		was, ok := saved[k.Part]
		if !ok {
			return fmt.Errorf("%s has nothing of %s, which keeps its contents in %s", dir, k.Part, k.Path)
		}
		delete(saved, k.Part)
		if err := r.prepare(ctx, &k, was.Hash); err != nil {
			return fmt.Errorf("%s: %w", k.Part, err)
		}
	}
	for _, k := range m.Kept {
		if _, left := saved[k.Part]; left {
			return fmt.Errorf("%s has what %s has kept; the appliance has no such part, or it keeps nothing", dir, k.Part)
		}
	}
	return r.replace()
}

// restore is one that is under way.
type restore struct {
	a     *boards.Appliance
	dir   string
	files []prepared
	held  []io.Closer // so that no run begins meanwhile
}

// prepared is a file that takes the place of another.
type prepared struct {
	from *hostfile.Draft // nil: there is to be none
	to   string
}

// prepare makes the file of a part beside that which it is to replace.
func (r *restore) prepare(ctx context.Context, k *boards.Keeper, hash string) error {
	if err := r.a.Folder().Within(k.Path); err != nil {
		return err
	}
	switch held, err := hostfile.OpenAlone(k.Path); {
	case err == nil:
		r.held = append(r.held, held)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if hash == "" {
		to, err := hostfile.Resolve(k.Path)
		r.files = append(r.files, prepared{to: to})
		return err
	}
	from, err := hostfile.Open(filepath.Join(r.dir, k.Part))
	if err != nil {
		return err
	}
	defer from.Close()
	draft, err := hostfile.NewDraft(k.Path)
	if err != nil {
		return err
	}
	r.files = append(r.files, prepared{draft, k.Path})
	is, err := copyTo(ctx, draft.File, from)
	switch {
	case err != nil:
		return err
	case is != hash:
		return fmt.Errorf("%s is not what was saved: its hash is %.12s, and was %.12s", from.Name(), is, hash)
	case k.Medium == nil:
		return nil
	}
	return r.fits(k.Medium, draft)
}

// fits tells whether what is to be kept is that of a disk.
func (r *restore) fits(medium *image.Medium, draft *hostfile.Draft) error {
	err := medium.Check(func(name string) (*os.File, error) {
		if name == medium.Keep {
			return draft.Reopen()
		}
		return r.a.Folder().Open(name)
	})
	var other *image.ChangedError
	if errors.As(err, &other) {
		return fmt.Errorf("its image %s %w: what was saved fits only what the image was", other.Base, other.Why)
	}
	return err
}

// replace puts all files into their places.
func (r *restore) replace() error {
	for _, f := range r.files {
		var err error
		if f.from != nil {
			err = f.from.Place()
		} else if err = os.Remove(f.to); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := settle(filepath.Dir(f.to)); err != nil {
			return err
		}
	}
	return nil
}

// close removes what was not used.
func (r *restore) close() (err error) {
	for _, f := range r.files {
		if f.from != nil {
			err = errors.Join(err, f.from.Close())
		}
	}
	for _, h := range r.held {
		err = errors.Join(err, h.Close())
	}
	return err
}
