package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/guest/confine"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"
)

// openRecord makes the record, and lets events come into it from now on.
func (r *Running) openRecord() (err error) {
	r.record, err = record.New(record.Config{
		Dir: r.opts.Out, Limit: r.opts.RecordLimit, Now: r.cal.Now, Tell: r.note,
		Reached: fmt.Errorf("the record's limit of %s is reached (--record-limit changes it)", boards.Size(r.opts.RecordLimit)),
	})
	if err != nil {
		return err
	}
	if r.events, err = r.record.Events(); r.events != nil {
		r.cal.Subscribe(r.events.Add)
	}
	return err
}

// recordRun writes down what is run, and lets inputs be recorded from now on.
func (r *Running) recordRun(a *boards.Appliance) error {
	if r.opts.Out == "" {
		return nil
	}
	m, err := r.manifest(a)
	if err != nil {
		return err
	}
	if err := r.record.Manifest(m); err != nil {
		return err
	}
	if r.opts.Virtual {
		r.inputs, err = r.record.Inputs()
	}
	return err
}

func (r *Running) manifest(a *boards.Appliance) (*record.Manifest, error) {
	m := &record.Manifest{Backplane: record.Revision(), Name: a.Name, Virtual: r.opts.Virtual, Seed: r.opts.Seed, Start: r.opts.Start, Confined: !r.opts.Unconfined, Together: confine.Together()}
	var err error
	if m.Appliance, err = filepath.Abs(a.SourceFile()); err != nil {
		return nil, err
	}
	known := make(map[string]string)
	add := func(what, path string) {
		if known[path] == "" && err == nil {
			known[path], err = record.HashFile(path)
		}
		m.Parts = append(m.Parts, record.Made{What: what, Path: path, Hash: known[path]})
	}
	add("appliance file", m.Appliance)
	for _, b := range r.machines() {
		if file, e := filepath.Abs(b.board.SourceFile()); e == nil && file != m.Appliance {
			add("board file of "+b.name, file)
		}
		add("kernel of "+b.name, b.kernel.Path)
		if !b.kernel.Seccomp {
			m.Ptrace = append(m.Ptrace, b.name)
		}
		add("root file system of "+b.name, filepath.Join(b.dir, "initrd.cpio"))
		m.Parts[len(m.Parts)-1].Path = strings.Join(b.board.Firmware.Rootfs, ", ")
		for _, name := range slices.Sorted(maps.Keys(b.kept)) {
			m.Parts = append(m.Parts, b.kept[name])
		}
	}
	return m, err
}

// maxContents is how much of a chip's file is copied, in bytes: more than any chip has, whose file is a NAND flash's.
const maxContents = 256 << 20

// contents is the file in which a chip keeps its contents. What it has at the
// start is recorded; with Options.Copies it stays as it is, and the chip has a copy. Nobody
// changes it meanwhile.
func (m *Machine) contents(part, path string) (string, error) {
	from, to := path, path
	if m.r.opts.Copies {
		to = filepath.Join(m.dir, "contents-"+part)
	}
	if m.r.opts.Contents != "" {
		from = filepath.Join(m.r.opts.Contents, m.name+"."+part)
	}
	folder := m.r.appliance.Folder()
	if m.r.opts.Contents != "" {
		folder = nil // the record is another one, and has been checked
	}
	made := record.Made{What: "contents of " + m.name + "." + part, Path: from}
	f, err := hostfile.OpenShared(from, folder.Open)
	if errors.Is(err, fs.ErrNotExist) { // the chip makes it
		m.kept[part] = made
		return to, nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if m.r.record == nil && to == from {
		return to, nil
	}
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > maxContents {
		return "", &fs.PathError{Op: "read", Path: from, Err: hostfile.TooLongError(maxContents)}
	}
	made.Hash, err = m.r.record.Copy(io.NewSectionReader(f, 0, info.Size()), record.ContentsDir, m.name+"."+part)
	if m.kept[part] = made; err != nil || to == from {
		return to, err
	}
	return to, copyContents(to, f)
}

// copyContents makes the file of a chip that has a copy.
func copyContents(name string, from *os.File) error {
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(image.Copy(context.Background(), to, 0, from), to.Close())
}
