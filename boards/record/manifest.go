package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"backplane/simbus/hostfile"
)

// Manifest says what was run: run.json in a record.
type Manifest struct {
	Backplane string    `json:"backplane"` // the revision that it was built from, or its hash
	Appliance string    `json:"appliance"` // the file, absolute
	Name      string    `json:"name"`
	Virtual   bool      `json:"virtual"`
	Seed      uint64    `json:"seed"`
	Start     time.Time `json:"start"`
	Confined  bool      `json:"confined"`         // each guest behind the walls of package confine
	Together  string    `json:"limit_together"`   // of all guests: what a cgroup has in which they were started, or "none"
	Ptrace    []string  `json:"ptrace,omitempty"` // boards whose kernels may trace their own processes there
	Parts     []Made    `json:"parts"`
}

// Made is something that a run is made of.
type Made struct {
	What string `json:"what"` // "board file of sensor", "kernel of sensor"
	Path string `json:"path,omitempty"`
	Hash string `json:"sha256"`
}

// was tells one state of it from another.
func (m Made) was() string {
	if m.Hash == "" {
		return "no file"
	}
	return fmt.Sprintf("SHA-256 %.12s", m.Hash)
}

// Names of what a record has beside the streams of a run.
const (
	ManifestFile = "run.json"
	EventsFile   = "events.jsonl"
	InputsFile   = "inputs.jsonl"
	EndFile      = "end.json"
	ContentsDir  = "contents"
)

// Manifest writes down what is run.
func (rec *Writer) Manifest(m *Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return rec.Whole(append(text, '\n'), ManifestFile)
}

// HashFile is a file's SHA-256; that of a file that is not there is empty.
func HashFile(path string) (string, error) {
	f, err := hostfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Revision is that of the source that this program was built from; if it is not
// known, the program's hash.
var Revision = sync.OnceValue(revision)

// revision is that of the program's source; if that is not known, the program's hash.
func revision() string {
	text := "unknown"
	if exe, err := os.Executable(); err == nil {
		if hash, err := HashFile(exe); err == nil {
			text = "program " + hash
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			text = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			text += ", changed"
		}
	}
	return text
}

// maxMark is the most that a record's run.json or end.json has, in bytes: a line or two
// for each file of up to the most boards that an appliance has.
const maxMark = 16 << 20

// LoadManifest reads a record's.
func LoadManifest(dir string) (*Manifest, error) {
	data, err := hostfile.Read(filepath.Join(dir, ManifestFile), maxMark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a record of a run: it has no %s", dir, ManifestFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a record of a run: %w", dir, err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestFile), err)
	}
	return m, nil
}

// Changes says in what two runs are not made of the same.
func (m *Manifest) Changes(now *Manifest) (list []string) {
	if m.Backplane != now.Backplane {
		list = append(list, fmt.Sprintf("backplane was %.24s, and is %.24s now", m.Backplane, now.Backplane))
	}
	then := make(map[string]Made)
	for _, p := range m.Parts {
		then[p.What] = p
	}
	for _, p := range now.Parts {
		old, ok := then[p.What]
		delete(then, p.What)
		switch {
		case !ok:
			list = append(list, fmt.Sprintf("the %s is new (%s)", p.What, p.Path))
		case old.Hash != p.Hash:
			list = append(list, fmt.Sprintf("the %s (%s) has changed: %s then, %s now", p.What, p.Path, old.was(), p.was()))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(then)) {
		list = append(list, fmt.Sprintf("the %s is gone (%s)", what, then[what].Path))
	}
	return list
}
