package tomlfile

import (
	"path/filepath"

	"backplane/simbus/hostfile"
)

// Path is a file or a folder of the host that a file names.
type Path struct {
	File      string // where it stands
	Line, Col int
	Name      string // as it stands there
	Leads     string // to this place, which is without links; empty if it leads nowhere
}

// Paths are those that files name. Unless Folder is nil, all of them have to lie in it.
type Paths struct {
	Folder *hostfile.Folder
	List   []Path
	known  map[Path]bool
	leads  map[string]string // where each path leads, empty if nowhere: files may be named again and again
}

// Add notes the name that stands at a key, and says why the path that it means is not
// one to be opened. What is there is not looked at.
func (p *Paths) Add(d *Doc, at, name, path string) error {
	place := d.Problem(at, "")
	one := Path{File: place.File, Line: place.Line, Col: place.Col, Name: name}
	leads, ok := p.leads[path]
	if !ok {
		leads, _ = hostfile.Resolve(path)
		if p.leads == nil {
			p.leads = make(map[string]string)
		}
		p.leads[path] = leads
	}
	one.Leads = leads
	if !p.known[one] { // boards may share a file
		if p.known == nil {
			p.known = make(map[Path]bool)
		}
		p.known[one] = true
		p.List = append(p.List, one)
	}
	return p.Folder.Within(path)
}

// Beside is the path that a name in the file means.
func (d *Doc) Beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	if d.Folder != "" {
		return filepath.Join(d.Folder, name)
	}
	return filepath.Join(filepath.Dir(d.File), name)
}
