package appliance

import (
	"errors"
	"io/fs"
	"sync"

	"backplane/boards/record"
	"backplane/periph"
	"backplane/periph/block/image"

	"golang.org/x/sys/unix"
)

// insert gives a controller its contents, and notes for the record what they are at the
// start.
func (m *Machine) insert(p *part, to periph.Storage) error {
	medium, ok := m.board.Medium(p.table)
	if !ok {
		return errors.New("its table does not say where its contents are")
	}
	open := m.r.appliance.Folder().Open
	if m.r.opts.Out != "" { // before a file is locked
		if err := m.recordMedium(p.name, &medium, open); err != nil {
			return err
		}
	}
	contents, durable, err := medium.Open(open, m.r.opts.Copies)
	if err == nil {
		to.Insert(contents, durable)
	}
	return err
}

// recordMedium notes the files of a disk: its image with those below it, and the one that
// keeps what is written.
func (m *Machine) recordMedium(part string, medium *image.Medium, open image.Opener) error {
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
		if err := m.recordImage(part, what, name, open); err != nil {
			return err
		}
	}
	if medium.Keep == "" {
		return nil
	}
	err := m.recordImage(part, "contents of "+m.name+"."+part, medium.Keep, open)
	if errors.Is(err, fs.ErrNotExist) { // the run makes it
		m.kept["contents of "+part] = record.Made{What: "contents of " + m.name + "." + part, Path: medium.Keep}
		return nil
	}
	return err
}

func (m *Machine) recordImage(part, what, name string, open image.Opener) error {
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
	} else if made.Hash, err = image.Hash(f); err != nil {
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
