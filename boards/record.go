package boards

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"backplane/simbus"
)

// record is the folder of what is recorded, while it is being written. A nil
// record takes everything and keeps nothing.
type record struct {
	dir  string
	root *os.Root // it: no link that somebody has put there leads out of it
	now  func() simbus.Time
	tell func(text string) // for people; may be nil
	stop chan struct{}
	done chan struct{}
	made string // the first of the folders that were made for it

	recordLimit

	mu      sync.Mutex // guards the lists: boards that restart add to them
	files   []*recordFile
	flushes []func()
}

// flushEvery is how often what is still in memory is written out, in host time.
const flushEvery = 500 * time.Millisecond

// newRecord makes the folder. A record that is there goes.
// What comes as the run goes may be limit bytes together; 0 stands for any number.
func newRecord(dir string, limit int64, now func() simbus.Time, tell func(string)) (*record, error) {
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
	rec := &record{dir: dir, root: root, now: now, tell: tell, stop: make(chan struct{}), done: make(chan struct{}), made: made, recordLimit: recordLimit{size: limit}}
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

// drop removes the folders that were made for a record of what has not begun. It has
// been closed.
func (rec *record) drop() {
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
func (rec *record) flush() {
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

// flushed lets f be called now and then, on a goroutine of its own.
func (rec *record) flushed(f func()) {
	if rec == nil {
		return
	}
	rec.mu.Lock()
	rec.flushes = append(rec.flushes[:len(rec.flushes):len(rec.flushes)], f)
	rec.mu.Unlock()
}

// file makes a file.
func (rec *record) file(name ...string) (*recordFile, error) {
	if rec == nil {
		return nil, nil
	}
	f := &recordFile{rec: rec, name: filepath.ToSlash(filepath.Join(name...))}
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

// whole writes a file at once: it is there as a whole or not at all. It takes the
// place of an earlier one of that name.
func (rec *record) whole(data []byte, name ...string) error {
	if rec == nil {
		return nil
	}
	f := &recordFile{rec: rec, name: filepath.ToSlash(filepath.Join(name...)), size: int64(len(data)), hash: hashOf(data)}
	path := filepath.Join(name...)
	err := rec.root.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = writeFile(rec.root, path, data)
	}
	if err != nil {
		f.size = 0
		f.give(err)
	}
	rec.add(f)
	return f.cut()
}

func (rec *record) add(f *recordFile) {
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

// close ends the record with its mark, the last that is written. The error tells
// what of it is missing.
func (rec *record) close(end End, reports Reports) error {
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
		end.Cut, end.At = rec.reached().Error(), rec.at
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
func (rec *record) report(reports Reports, cut error) error {
	files, err := reports(cut)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err = errors.Join(err, rec.whole(files[name], name))
	}
	return err
}

// recordFile is a file of a record. It keeps its first error and takes nothing
// more from then on: what it holds is all that there was up to some moment. A
// nil recordFile takes everything and keeps nothing.
type recordFile struct {
	rec   *record
	name  string // in the record, with slashes
	lines bool   // it ends with a whole line, whatever happens
	taken bool   // whoever writes has asked the record's limit already

	mu   sync.Mutex
	f    *os.File // nil once it is closed
	size int64
	hash string // SHA-256, of a file that was written at once
	at   simbus.Time
	err  error // why it ends at that time
}

// Write writes at once. Its own error is nil: the file keeps it.
func (f *recordFile) Write(p []byte) (int, error) {
	if f == nil {
		return len(p), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || f.f == nil {
		return len(p), nil
	}
	if !f.taken && !f.rec.take(len(p)) {
		f.at, f.err = f.rec.at, f.rec.reached()
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
func (f *recordFile) fail(err error) {
	f.at, f.err = f.rec.now(), err
	var p *fs.PathError
	if errors.As(err, &p) {
		f.err = p.Err // its path is said already
	}
	if f.rec.tell != nil {
		go f.rec.tell(f.cut().Error())
	}
}

// give lets the file end here since something could not be put into it.
func (f *recordFile) give(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.fail(err)
	}
}

// cut says where the file ends too early, and why; nil if it does not.
func (f *recordFile) cut() error {
	if f.err == nil {
		return nil
	}
	return fmt.Errorf("%s ends at %s of the appliance's time, after %d bytes: %w", f.name, f.at, f.size, f.err)
}

func (f *recordFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f != nil {
		if err := f.f.Close(); err != nil && f.err == nil {
			f.fail(err)
		}
		f.f = nil
		if f.err == nil && f.rec.over.Load() {
			f.at, f.err = f.rec.at, f.rec.reached()
		}
	}
	if errors.As(f.err, new(*limitError)) {
		return nil // which is said of the whole record
	}
	return f.cut()
}

// maxContents is how much a chip's file may have, in bytes.
const maxContents = 64 << 20

// contents is the file in which a chip keeps its contents. What it has at the
// start is recorded; with Options.Copies it stays as it is, and the chip has a copy.
func (m *Machine) contents(part, path string) (string, error) {
	from, to := path, path
	if m.r.opts.Copies {
		to = filepath.Join(m.dir, "contents-"+part)
	}
	if m.r.opts.Contents != "" {
		from = filepath.Join(m.r.opts.Contents, m.name+"."+part)
	}
	folder := m.r.appliance.paths.Folder
	if m.r.opts.Contents != "" {
		folder = nil // the record is another one, and has been checked
	}
	made := Made{What: "contents of " + m.name + "." + part, Path: from}
	data, err := folder.Read(from, maxContents)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the chip makes it
		m.kept[part] = made
		return to, nil
	case err != nil:
		return "", err
	}
	made.Hash = hashOf(data)
	m.kept[part] = made
	if err = m.r.record.whole(data, ContentsDir, m.name+"."+part); err == nil && to != from {
		err = os.WriteFile(to, data, 0o600)
	}
	return to, err
}
