package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// recordNames are files that a record of a run may have in its folder.
var recordNames = []string{ManifestFile, EndFile, EventsFile, InputsFile, "report.json", "junit.xml"}

// CheckOut says why a run cannot be recorded in a folder: files there would be
// overwritten that are of no record.
func CheckOut(dir string) error {
	if dir == "" || isRecord(dir) {
		return nil
	}
	for _, name := range recordNames {
		switch _, err := os.Lstat(filepath.Join(dir, name)); {
		case err == nil:
			return fmt.Errorf("the folder %s has a file %s and is not a record of a run: nothing in it is replaced; name another folder", dir, name)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

// isRecord tells whether a folder has a record, finished or not.
func isRecord(dir string) bool {
	if m, err := LoadManifest(dir); err == nil && m.Name != "" {
		return true
	}
	end, err := LoadEnd(dir)
	return err == nil && len(end.Files) > 0
}

// replace removes the files of the record that is in the folder, if one is, and says so.
// What else is there stays.
func (rec *Writer) replace() error {
	if !isRecord(rec.dir) {
		return nil
	}
	if rec.tell != nil {
		rec.tell(fmt.Sprintf("%s has the record of an earlier run, which this one replaces", rec.dir))
	}
	gone := []string{EndFile} // first: what is half gone is no record
	if end, err := LoadEnd(rec.dir); err == nil {
		for _, f := range end.Files {
			gone = append(gone, filepath.FromSlash(f.Name))
		}
	}
	for _, name := range append(gone, recordNames...) {
		if err := rec.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && filepath.IsLocal(name) {
			return err
		}
	}
	return nil
}
