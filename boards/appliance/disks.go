package appliance

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"backplane/boards/record"
	"backplane/periph"
	"backplane/periph/block/image"

	"golang.org/x/sys/unix"
)

// recordStorage notes for the record what the contents of a controller are at the start.
func (m *Machine) recordStorage(ctx context.Context, p *part) error {
	if _, ok := p.is.(periph.Storage); !ok {
		return nil
	}
	medium, ok := m.board.Medium(p.table)
	if !ok {
		return errors.New("its table does not say where its contents are")
	}
	if m.r.opts.Out == "" {
		return nil
	}
	return m.recordMedium(ctx, p.name, &medium, m.r.appliance.Folder().Open) // before a file is locked
}

// openStorage gives a controller its contents.
func (m *Machine) openStorage(p *part) error {
	to, ok := p.is.(periph.Storage)
	if !ok || p.contents != nil {
		return nil
	}
	medium, _ := m.board.Medium(p.table)
	contents, durable, err := medium.Open(m.r.appliance.Folder().Open, m.r.opts.Copies)
	if err == nil {
		to.Insert(contents, durable)
		p.contents = contents
	}
	return err
}

// closeStorage lets go of the contents of a controller that was unplugged, if the host keeps them.
func (m *Machine) closeStorage(p *part) error {
	medium, ok := m.board.Medium(p.table)
	if !ok || medium.Keep == "" || m.r.opts.Copies {
		return nil // what was written would be lost
	}
	p.contents = nil
	return p.is.(periph.Storage).Close()
}

// recordMedium notes the files of a disk: its image with those below it, and the one that
// keeps what is written.
func (m *Machine) recordMedium(ctx context.Context, part string, medium *image.Medium, open image.Opener) error {
	var names []string
	if medium.Image != "" {
		i, err := image.Open(medium.Image, open)
		if err != nil {
			return err
		}
		names = i.Files()
		if err := i.Close(); err != nil {
			return err
		}
	}
	what := "image of " + m.name + "." + part
	for i, name := range names {
		if i > 0 {
			what = "image below the " + what
		}
		if err := m.recordImage(ctx, part, what, name, open); err != nil {
			return err
		}
	}
	if medium.Keep == "" {
		return nil
	}
	err := m.recordImage(ctx, part, "contents of "+m.name+"."+part, medium.Keep, open)
	if errors.Is(err, fs.ErrNotExist) { // the run makes it
		m.kept["contents of "+part] = record.Made{What: "contents of " + m.name + "." + part, Path: medium.Keep}
		return nil
	}
	return err
}

func (m *Machine) recordImage(ctx context.Context, part, what, name string, open image.Opener) error {
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	made := record.Made{What: what, Path: name}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	state := imageState{st.Dev, st.Ino, st.Size, st.Mtim}
	if known, ok := imageHashes.Load(state); ok {
		made.Hash = known.(string)
	} else if made.Hash, err = image.Hash(ctx, f); err != nil {
		return err
	}
	imageHashes.Store(state, made.Hash)
	m.kept[part+": "+what] = made
	return nil
}

// imageState is what tells that a large file is what it was.
type imageState struct {
	device, inode uint64
	size          int64
	modified      unix.Timespec
}

// imageHashes are what has been read once: a scenario may run many times.
var imageHashes sync.Map
