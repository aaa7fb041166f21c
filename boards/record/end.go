package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"backplane/simbus"
	"backplane/simbus/hostfile"
)

// End is the mark at the end of a record, written last: end.json. A record
// without it was not finished.
type End struct {
	Time        simbus.Time `json:"end_ns"`
	Interrupted bool        `json:"interrupted,omitempty"` // the appliance did not stand still then
	// Cut says why the whole record ends before the run did, at the time At.
	Cut   string      `json:"cut,omitempty"`
	At    simbus.Time `json:"cut_ns,omitempty"`
	Files []EndOfFile `json:"files"`
}

// cut is nil, or says where the whole record ends too early, and why.
func (end *End) cut() error {
	if end.Cut == "" {
		return nil
	}
	return errors.New("it " + end.verb())
}

func (end *End) verb() string {
	return fmt.Sprintf("ends at %s of the appliance's time: %s", end.At, end.Cut)
}

// EndOfFile says how much a file of a record has.
type EndOfFile struct {
	Name  string      `json:"name"` // in the record, with slashes
	Bytes int64       `json:"bytes"`
	Hash  string      `json:"sha256,omitempty"` // of a file that was written at once
	Cut   string      `json:"cut,omitempty"`    // why it ends before the run did
	At    simbus.Time `json:"cut_ns,omitempty"`
}

// CutError says that a record is not whole.
type CutError struct {
	Dir string
	Why []string
	// Short names the files that have less than they should; nil: any may.
	Short []string
}

func (e *CutError) Error() string {
	return fmt.Sprintf("the record in %s is incomplete: %s", e.Dir, strings.Join(e.Why, "; "))
}

// add adds what is missing.
func (e *CutError) add(err error) {
	if err != nil {
		e.Why = append(e.Why, err.Error())
	}
}

// whole is nil if nothing is missing.
func (e *CutError) whole() error {
	if len(e.Why) == 0 {
		return nil
	}
	return e
}

func (f *File) end() EndOfFile {
	e := EndOfFile{Name: f.name, Bytes: f.size, Hash: f.hash}
	if f.err != nil {
		e.Cut, e.At = f.err.Error(), f.at
	}
	return e
}

func (end *End) write(dir *os.Root) error {
	text, err := json.MarshalIndent(end, "", "  ")
	if err != nil {
		return err
	}
	_, err = writeFile(dir, EndFile, bytes.NewReader(append(text, '\n')))
	return err
}

// writeFile writes a file that is there as a whole or not at all.
func writeFile(dir *os.Root, path string, from io.Reader) (size int64, err error) {
	part := path + ".part"
	f, err := createIn(dir, part)
	if err != nil {
		return 0, err
	}
	size, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(part, path)
	}
	if err != nil {
		_ = dir.Remove(part)
	}
	return size, err
}

// createIn makes a file that was not there: what has its name goes before. It may be a
// link, also a hard one, to a file that is none of the record's, or a pipe, which
// keeps nothing and waits for a reader.
func createIn(dir *os.Root, path string) (*os.File, error) {
	if err := dir.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return dir.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// LoadEnd reads the mark at the end of a record.
func LoadEnd(dir string) (*End, error) {
	data, err := hostfile.Read(filepath.Join(dir, EndFile), maxMark)
	if err != nil {
		return nil, err
	}
	end := new(End)
	return end, json.Unmarshal(data, end)
}

// Check tells whether a record is whole: the error is a [CutError] if it has
// no mark, or not what the mark says.
func Check(dir string) error {
	end, err := LoadEnd(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &CutError{Dir: dir, Why: []string{"it has no end mark (" + EndFile + "), as if the recording program was killed"}}
	}
	if err != nil {
		return &CutError{Dir: dir, Why: []string{fmt.Sprintf("its end mark cannot be read: %s: %v", EndFile, err)}}
	}
	cut := CutError{Dir: dir}
	if len(end.Files) == 0 {
		cut.Why = []string{EndFile + " names no files"}
	}
	cut.add(end.cut())
	for _, f := range end.Files {
		why := f.check(dir)
		switch {
		case why == "":
			continue
		case f.Cut != "" && f.Cut == end.Cut && why == f.early():
			if f.Name == InputsFile {
				continue // no input is missing up to there
			}
		default:
			cut.Why = append(cut.Why, why)
		}
		cut.Short = append(cut.Short, f.Name)
	}
	return cut.whole()
}

// check says what is missing of a file, or that it was changed.
func (f *EndOfFile) check(dir string) string {
	path := filepath.Join(dir, filepath.FromSlash(f.Name))
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
		return fmt.Sprintf("%q is not a file of a record", f.Name)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Sprintf("%s is missing", f.Name)
	case info.Size() < f.Bytes:
		return fmt.Sprintf("%s has %d of its %d bytes", f.Name, info.Size(), f.Bytes)
	case info.Size() > f.Bytes:
		return fmt.Sprintf("%s has %d bytes, and had %d when the run ended", f.Name, info.Size(), f.Bytes)
	case f.Cut != "":
		return f.early()
	case f.Hash != "":
		if hash, err := HashFile(path); err != nil {
			return fmt.Sprintf("%s cannot be read: %v", f.Name, err)
		} else if hash != f.Hash {
			return f.Name + " was changed after the run had ended"
		}
	}
	return ""
}

// early says where a file ends too early.
func (f *EndOfFile) early() string {
	return fmt.Sprintf("%s ends at %s, after %d bytes: %s", f.Name, f.At, f.Bytes, f.Cut)
}
