package boards

import (
	"fmt"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus/hostfile"
)

// readBoard reads and checks a board file: its Doc has the problems.
func readBoard(paths *tomlfile.Paths, file string, set map[string]any, catalog *periph.Catalog) *Board {
	b := new(Board)
	b.doc = tomlfile.ReadIn(paths.Folder, file, b)
	b.readControllers(catalog)
	b.lines = b.nameLines(catalog)
	b.defaults()
	if b.doc.Parsed {
		c := checker{b: b, doc: b.doc, catalog: catalog, set: set, paths: paths}
		c.check()
	}
	b.doc.Problems.Sort()
	return b
}

func (b *Board) defaults() {
	if b.CPUs == 0 && !b.doc.Has("cpus") {
		b.CPUs = 1
	}
	b.topologyDefaults()
	if !b.doc.Has("spares") {
		b.Spares = defaultSpares
	}
	if b.Memory == 0 && !b.doc.Has("memory") {
		b.Memory = 64 << 20
	}
	if f := &b.Firmware; f.Root != "" && f.Init == "" && (f.Handover || !b.doc.Has("firmware.handover")) {
		f.Init, f.Handover = kernelsInit, true
	}
	for _, t := range b.Time.all() {
		if !b.doc.Has("time." + t.key) {
			*t.d = t.without
		}
	}
}

// Beside is where a file that the board file names is.
func (b *Board) Beside(name string) string { return b.doc.Beside(name) }

// IsAppliance tells whether a file is an appliance's, rather than a board's.
func IsAppliance(file string) bool { return tomlfile.Keys(file)["board"] }

// Load reads and checks an appliance file and the board files that it names. A
// board file alone is an appliance of one board. The error is
// [tomlfile.Problems], with the mistakes of all files.
func Load(file string, catalog *periph.Catalog) (*Appliance, error) {
	return LoadIn(nil, file, catalog)
}

// LoadIn is Load for an appliance of which nothing is read, now or later, that does not
// lie in a folder.
func LoadIn(folder *hostfile.Folder, file string, catalog *periph.Catalog) (*Appliance, error) {
	a := &Appliance{catalog: catalog, paths: tomlfile.Paths{Folder: folder}}
	return a.load(file)
}

// LoadAnew is LoadIn for who replaces what the appliance's disks have kept: it does not look
// at that, which may be anything.
func LoadAnew(folder *hostfile.Folder, file string, catalog *periph.Catalog) (*Appliance, error) {
	a := &Appliance{catalog: catalog, paths: tomlfile.Paths{Folder: folder}, anew: true}
	return a.load(file)
}

func (a *Appliance) load(file string) (*Appliance, error) {
	if !IsAppliance(file) {
		b := readBoard(&a.paths, file, nil, a.catalog)
		if len(b.doc.Problems) > 0 {
			return nil, b.doc.Problems
		}
		a.Name, a.Doc, a.doc = b.Name, b.Doc, b.doc
		a.Board = []Member{{Name: b.Name, File: file, Board: b, at: "board[0]", doc: b.doc}}
		a.checkFiles(0)
		if a.checkDisks(0); len(a.doc.Problems) > 0 {
			return nil, a.doc.Problems
		}
		return a, nil
	}
	a.doc = tomlfile.ReadIn(a.paths.Folder, file, a)
	a.links(true)
	problems := a.readBoards(a.catalog)
	if a.doc.Parsed {
		a.check()
	}
	a.doc.Problems.Sort()
	if problems = append(a.doc.Problems, problems...); len(problems) > 0 {
		return nil, problems
	}
	return a, nil
}

// file notes a file that the appliance's names, and says why it cannot be opened.
func (a *Appliance) file(at, name, path string) error {
	if err := a.paths.Add(a.doc, at, name, path); err != nil {
		return err
	}
	return hostfile.Check(path)
}

// Catalog is what the appliance's boards are made of.
func (a *Appliance) Catalog() *periph.Catalog { return a.catalog }

// Paths are all files and folders of the host that the appliance's file and those of its
// boards name.
func (a *Appliance) Paths() []tomlfile.Path { return a.paths.List }

// Limits of an appliance, each of whose boards is read from its file.
const (
	MaxBoards     = 1000
	maxBoardFiles = 32 << 20 // bytes of all of them, each as often as it is read
)

// readBoards reads the boards' files, and returns what is wrong in those.
func (a *Appliance) readBoards(catalog *periph.Catalog) (problems tomlfile.Problems) {
	said := make(map[tomlfile.Problem]bool)
	read := 0
	for i := range a.Board {
		m := &a.Board[i]
		at := fmt.Sprintf("board[%d]", i)
		m.at, m.doc = at, a.doc
		if i == MaxBoards || read > maxBoardFiles {
			a.doc.Add(at, "the appliance has %d boards; it may have %d, with files of up to %d MiB together", len(a.Board), MaxBoards, maxBoardFiles>>20)
			break
		}
		if m.File == "" {
			a.doc.Add(at, "a board without a file: write file = \"BOARD.toml\"")
			continue
		}
		path := a.doc.Beside(m.File)
		if err := a.file(at+".file", m.File, path); err != nil {
			a.doc.Add(at+".file", "board file %s: %v", path, hostfile.Cause(err))
			continue
		}
		if IsAppliance(path) {
			a.doc.Add(at+".file", "%s is an appliance; it must be a board", path)
			continue
		}
		before := make(map[string]any, len(m.Set))
		for k, v := range m.Set {
			before[k] = v
		}
		m.Board = readBoard(&a.paths, path, before, catalog)
		read += m.Board.doc.Size
		for k := range before { // what no part took
			a.doc.Add(at+".set."+k, "set: %s is not a property or option of a part of %s: write part.property", k, path)
		}
		for _, p := range m.Board.doc.Problems {
			if !said[p] { // several boards of one file
				said[p] = true
				problems = append(problems, p)
			}
		}
		if m.Name == "" {
			m.Name = m.Board.Name
		}
		a.instance(at, m)
	}
	return problems
}
