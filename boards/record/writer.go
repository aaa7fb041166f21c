package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"backplane/simbus"
)

// Writer is the folder of what is recorded, while it is being written. A nil
// Writer takes everything and keeps nothing.
type Writer struct {
	dir  string
	root *os.Root // the folder: no link in it leads out of it
	now  func() simbus.Time
	tell func(text string) // for people; may be nil
	stop chan struct{}
	done chan struct{}
	made string // the first of the folders that were made for it

	limit

	mu      sync.Mutex // guards the lists: boards that restart add to them
	files   []*File
	flushes []func()
}

// flushEvery is how often what is still in memory is written out, in host time.
const flushEvery = 500 * time.Millisecond

// Config says where a record goes, and how much of it may be.
type Config struct {
	Dir string // its folder; "": nothing is recorded
	// Limit is how many bytes may come together as the run goes; 0: any number.
	// Reached is why the record ends there.
	Limit   int64
	Reached error
	Now     func() simbus.Time
	Tell    func(text string) // for people; may be nil
}

// New makes the folder. A record that is there goes.
func New(c Config) (*Writer, error) {
	dir := c.Dir
	if dir == "" {
		return nil, nil
	}
	made := missing(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	rec := &Writer{dir: dir, root: root, now: c.Now, tell: c.Tell, stop: make(chan struct{}), done: make(chan struct{}), made: made, limit: limit{size: c.Limit, reached: c.Reached}}
	if err := rec.replace(); err != nil {
		root.Close()
		return nil, err
	}
	go rec.flush()
	return rec, nil
}

// missing is the first folder of a path that is not there, "" if all are.
func missing(dir string) (first string) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			return first
		}
		first = at
	}
}

// Drop removes the folders that were made for a record of what has not begun. It has
// been closed.
func (rec *Writer) Drop() {
	if rec == nil || rec.made == "" {
		return
	}
	_ = os.RemoveAll(rec.dir) // all in it is the record's
	for at := filepath.Clean(rec.dir); at != rec.made; {
		at = filepath.Dir(at)
		_ = os.Remove(at)
	}
}

// flush lets nothing stay in memory for long: somebody may want to look at the
// files of an appliance that runs, and it may be killed.
func (rec *Writer) flush() {
	defer close(rec.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-rec.stop:
			return
		case <-tick.C:
		}
		rec.mu.Lock()
		list := rec.flushes
		rec.mu.Unlock()
		for _, f := range list {
			f()
		}
	}
}

// Flushed lets f be called now and then, on a goroutine of its own.
func (rec *Writer) Flushed(f func()) {
	if rec == nil {
		return
	}
	rec.mu.Lock()
	rec.flushes = append(rec.flushes[:len(rec.flushes):len(rec.flushes)], f)
	rec.mu.Unlock()
}

// File makes a file.
func (rec *Writer) File(name ...string) (*File, error) {
	if rec == nil {
		return nil, nil
	}
	f := &File{rec: rec, name: filepath.ToSlash(filepath.Join(name...))}
	if err := rec.root.MkdirAll(filepath.Dir(filepath.Join(name...)), 0o755); err != nil {
		return nil, err
	}
	var err error
	if f.f, err = createIn(rec.root, filepath.Join(name...)); err != nil {
		return nil, err
	}
	rec.add(f)
	return f, nil
}

// Whole writes a file at once: it is there as a whole or not at all. It takes the
// place of an earlier one of that name.
func (rec *Writer) Whole(data []byte, name ...string) error {
	_, err := rec.Copy(bytes.NewReader(data), name...)
	return err
}

// Copy is [Writer.Whole] of what is read, of which it tells the hash.
func (rec *Writer) Copy(from io.Reader, name ...string) (hash string, err error) {
	if rec == nil {
		return "", nil
	}
	f := &File{rec: rec, name: filepath.ToSlash(filepath.Join(name...))}
	path := filepath.Join(name...)
	h := sha256.New()
	if err = rec.root.MkdirAll(filepath.Dir(path), 0o755); err == nil {
		f.size, err = writeFile(rec.root, path, io.TeeReader(from, h))
	}
	f.hash = hex.EncodeToString(h.Sum(nil))
	if err != nil {
		f.size = 0
		f.Abandon(err)
	}
	rec.add(f)
	return f.hash, f.cut()
}

func (rec *Writer) add(f *File) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for i, old := range rec.files {
		if old.name == f.name {
			rec.files[i] = f
			return
		}
	}
	rec.files = append(rec.files, f)
}

// Reports makes the files that judge a run, by their names in the record, when all
// else of it has been recorded. cut is nil, or says what of that is not whole.
type Reports func(cut error) (map[string][]byte, error)

// Close ends the record with its mark, the last that is written. The error tells
// what of it is missing.
func (rec *Writer) Close(end End, reports Reports) error {
	if rec == nil {
		return nil
	}
	close(rec.stop)
	<-rec.done
	cut := CutError{Dir: rec.dir}
	if rec.over.Load() {
		if rec.onReach != nil {
			rec.onReach() // which may be under way
		}
		end.Cut, end.At = rec.reached.Error(), rec.at
		cut.add(end.cut())
	}
	for _, f := range rec.files {
		cut.add(f.close())
	}
	if reports != nil {
		cut.add(rec.report(reports, cut.whole()))
	}
	for _, f := range rec.files {
		end.Files = append(end.Files, f.end())
	}
	if err := end.write(rec.root); err != nil {
		cut.add(fmt.Errorf("it has no end mark: %w", err))
	}
	rec.root.Close()
	return cut.whole()
}

// report adds the reports.
func (rec *Writer) report(reports Reports, cut error) error {
	files, err := reports(cut)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err = errors.Join(err, rec.Whole(files[name], name))
	}
	return err
}

// File is a file of a record. It keeps its first error and takes nothing
// more from then on: what it holds is all that there was up to some moment. A
// nil File takes everything and keeps nothing.
type File struct {
	rec   *Writer
	name  string // in the record, with slashes
	lines bool   // it ends with a whole line, whatever happens
	taken bool   // the writer has asked the record's limit already

	mu   sync.Mutex
	f    *os.File // nil once it is closed
	size int64
	hash string // SHA-256, of a file that was written at once
	at   simbus.Time
	err  error // why it ends at that time
}

// Write writes at once. Its own error is nil: the file keeps it.
func (f *File) Write(p []byte) (int, error) {
	if f == nil {
		return len(p), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || f.f == nil {
		return len(p), nil
	}
	if !f.taken && !f.rec.take(len(p)) {
		f.at, f.err = f.rec.at, f.rec.reached
		return len(p), nil
	}
	n, err := f.f.Write(p)
	if err != nil {
		if f.lines && n > 0 {
			if whole := lastLine(p[:n]); whole < n && f.f.Truncate(f.size+int64(whole)) == nil {
				n = whole
			}
		}
		f.size += int64(n)
		f.fail(err)
		return len(p), nil
	}
	f.size += int64(n)
	return len(p), nil
}

// lastLine is the length of the whole lines in p.
func lastLine(p []byte) int {
	n := len(p)
	for n > 0 && p[n-1] != '\n' {
		n--
	}
	return n
}

// fail lets the file end here. The caller holds the lock.
func (f *File) fail(err error) {
	f.at, f.err = f.rec.now(), err
	var p *fs.PathError
	if errors.As(err, &p) {
		f.err = p.Err // its path is said already
	}
	if f.rec.tell != nil {
		go f.rec.tell(f.cut().Error())
	}
}

// Abandon lets the file end here since something could not be put into it.
func (f *File) Abandon(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.fail(err)
	}
}

// cut says where the file ends too early, and why; nil if it does not.
func (f *File) cut() error {
	if f.err == nil {
		return nil
	}
	return fmt.Errorf("%s ends at %s of the appliance's time, after %d bytes: %w", f.name, f.at, f.size, f.err)
}

func (f *File) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f != nil {
		if err := f.f.Close(); err != nil && f.err == nil {
			f.fail(err)
		}
		f.f = nil
		if f.err == nil && f.rec.over.Load() {
			f.at, f.err = f.rec.at, f.rec.reached
		}
	}
	if errors.Is(f.err, f.rec.reached) {
		return nil // which is said of the whole record
	}
	return f.cut()
}
