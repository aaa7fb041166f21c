package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/hostfile"
)

// Difference is where two records part.
type Difference struct {
	Stream string      // the file, relative to the record
	Where  string      // in it: "event 7", "line 3", "packet 2", "byte 17"
	Time   simbus.Time // of the first that is not the same; Never if the stream has no times
	Board  string      // empty if it is of none
	Common []string    // the last that both have
	First  []string    // how the first goes on; empty if it ends there
	Second []string    // how the second goes on
	Also   []string    // other streams that differ
}

// context is how much of both sides a difference shows: so many that both
// have, and so many of each that differ.
const (
	contextCommon = 5
	contextAfter  = 3
)

// Comparison says how records are compared.
type Comparison struct {
	Start time.Time // wall-clock time in the boards at switch-on
	Skip  []string  // streams that are left out
	// Until is when the first record was interrupted, if it was: then only what
	// has a time, before that, is compared, as far as the first record has it.
	Until simbus.Time
	// Short tells of which streams the first record may have no more than the
	// beginning. Nil: of none.
	Short func(stream string) bool
}

// Compare compares two records, and returns nil if they are the same.
func (c Comparison) Compare(first, second string) (*Difference, error) {
	names, err := streams(first, second)
	if err != nil {
		return nil, err
	}
	var found *Difference
	var differ []string
	for _, name := range names {
		if slices.Contains(c.Skip, name) || c.Until > 0 && name != record.EventsFile {
			continue
		}
		d, err := c.stream(name, filepath.Join(first, name), filepath.Join(second, name))
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", name, err)
		}
		if d == nil {
			continue
		}
		differ = append(differ, name)
		if found == nil || d.Time < found.Time {
			found = d
		}
	}
	if found != nil {
		found.Also = slices.DeleteFunc(differ, func(name string) bool { return name == found.Stream })
	}
	return found, nil
}

// Digest is a hash of all streams of a record: equal for equal records.
func Digest(dir string) (string, error) {
	names, err := streams(dir, dir)
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s %x\n", filepath.ToSlash(name), h.Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil))[:32], nil
}

// junitFile says what report.json does, and how long it took on the host.
const junitFile = "junit.xml"

// streams are the files of both records, the events first.
func streams(dirs ...string) ([]string, error) {
	var names []string
	for _, dir := range dirs {
		of, err := filesOf(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range of {
			switch top, _, _ := strings.Cut(filepath.ToSlash(name), "/"); {
			case top == "uml" || name == record.ManifestFile || name == record.EndFile || name == junitFile:
			default:
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == record.EventsFile) != (b == record.EventsFile) {
			if a == record.EventsFile {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(names), nil
}

// filesOf are the files of a record: those that its end mark names, since somebody may have put
// others beside them, or all that are in the folder of one without a mark.
func filesOf(dir string) ([]string, error) {
	var names []string
	if end, err := record.LoadEnd(dir); err == nil && len(end.Files) > 0 {
		for _, f := range end.Files {
			if name := filepath.FromSlash(f.Name); filepath.IsLocal(name) {
				names = append(names, filepath.Clean(name))
			}
		}
		return names, nil
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	})
	return names, err
}

func (c Comparison) stream(name, first, second string) (*Difference, error) {
	a, err := open(first)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	b, err := open(second)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	short := c.Short != nil && c.Short(filepath.ToSlash(name))
	switch {
	case a.File == nil && short:
		return nil, nil
	case a.File == nil || b.File == nil:
		d := &Difference{Stream: name, Where: "file", Time: simbus.Never, First: []string{"it is there"}, Second: []string{"it is there"}}
		if a.File == nil {
			d.First = nil
		} else {
			d.Second = nil
		}
		return d, nil
	default:
		same, err := equal(a, b)
		if same || err != nil {
			return nil, err
		}
	}
	if _, err := a.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := b.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	x, y := c.items(name, a), c.items(name, b)
	if short {
		x = whole(x)
	}
	d, err := differ(x, y, short || c.Until > 0)
	if err == nil && (d != nil || !short && c.Until == 0) {
		if d == nil {
			d = &Difference{Where: "what stands around the items", Time: simbus.Never}
		}
		d.Stream = name
		if d.Board == "" && strings.HasPrefix(name, "console"+string(filepath.Separator)) {
			d.Board, _, _ = strings.Cut(filepath.Base(name), ".")
		}
	}
	return d, err
}

// items are those of a stream, as many as are compared.
func (c Comparison) items(name string, r io.Reader) items {
	switch {
	case name == record.EventsFile && c.Until > 0:
		return before(events(r), c.Until)
	case name == record.EventsFile:
		return events(r)
	case strings.HasSuffix(name, ".pcapng"):
		return packets(r, c.Start)
	}
	return lines(r)
}

// stream is a file of a record; one that is not there has no File.
type stream struct{ *os.File }

func open(path string) (stream, error) {
	f, err := hostfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stream{}, nil
	}
	return stream{f}, err
}

func (s stream) Close() {
	if s.File != nil {
		s.File.Close()
	}
}

// equal tells whether two readers have the same bytes.
func equal(a, b io.Reader) (bool, error) {
	x, y := bufio.NewReaderSize(a, 64<<10), bufio.NewReaderSize(b, 64<<10)
	for {
		p, errP := x.Peek(32 << 10)
		q, errQ := y.Peek(32 << 10)
		for _, err := range []error{errP, errQ} {
			if err != nil && err != io.EOF {
				return false, err
			}
		}
		if !bytes.Equal(p, q) {
			return false, nil
		}
		if len(p) == 0 {
			return true, nil
		}
		_, _ = x.Discard(len(p))
		_, _ = y.Discard(len(q))
	}
}
