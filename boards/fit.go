package boards

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus/hostfile"
)

// fitted is what is on a board at one time. Where parts come onto it later it is replaced as a
// whole, since others read it meanwhile.
type fitted struct {
	controllers []*Controller
	parts       []*Part
	lines       *lineNames
	absent      map[string]bool // those of both that are unplugged
}

// fitted is nil while the board's file is read and checked.
func (b *Board) fitted() *fitted {
	if b.fit == nil {
		return nil
	}
	return b.fit.Load()
}

// names finds the board's lines.
func (b *Board) names() *lineNames {
	if f := b.fitted(); f != nil {
		return f.lines
	}
	return b.lines
}

// Clone is the appliance with boards onto which [Appliance.Fit] can put parts, and between which
// others can be joined: what was read stays as it is.
func (a *Appliance) Clone() *Appliance {
	own := *a
	own.paths = tomlfile.Paths{Folder: a.paths.Folder}
	members := slices.Clone(a.Members())
	for i, m := range members {
		members[i] = m.clone()
	}
	own.join = new(atomic.Pointer[joined])
	own.join.Store(&joined{boards: members, links: a.Joined(), absent: make(map[string]bool)})
	return &own
}

// clone is the board so that parts can come onto it.
func (m *Member) clone() *Member {
	own := *m
	if m.Board != nil {
		own.Board = m.Board.clone()
	}
	return &own
}

func (b *Board) clone() *Board {
	own, f := *b, &fitted{controllers: b.Controllers(), parts: b.Parts(), lines: b.names(), absent: make(map[string]bool)}
	for _, c := range f.controllers {
		f.absent[c.Name] = c.Unplugged
	}
	for _, p := range f.parts {
		f.absent[p.Name] = p.Unplugged
	}
	own.fit = new(atomic.Pointer[fitted])
	own.fit.Store(f)
	return &own
}

// Text is a part of a board's or an appliance's file that is given while that runs.
type Text struct {
	// File is where it came from, to which the names of files in it are relative; empty:
	// it was given as it is, and they are relative to the board's file.
	File string
	TOML []byte
}

// Inline is what messages call a text that came from no file.
const Inline = "argument"

func (t *Text) name() string {
	if t.File == "" {
		return Inline
	}
	return t.File
}

// maxPlugged is how many parts and controllers a board may have that its file does not.
const maxPlugged = 1000

// Fitting is what is to come onto a board of a [Appliance.Clone].
type Fitting struct {
	Controllers []*Controller
	Parts       []*Part // each after what it is on
	// Gone are the names of parts and controllers that were unplugged, or on what was, and that new ones have.
	Gone []string

	board         *Board
	before, after *fitted
}

// Apply puts the parts into the description.
func (f *Fitting) Apply() { f.board.fit.Store(f.after) }

// Undo makes Apply undone.
func (f *Fitting) Undo() { f.board.fit.Store(f.before) }

// SetPlugged notes whether a part is plugged.
func (b *Board) SetPlugged(part string, in bool) {
	f := *b.fit.Load()
	f.absent = maps.Clone(f.absent)
	f.absent[part] = !in
	b.fit.Store(&f)
}

// additions are the tables of a text for a board.
type additions struct {
	Chip   []Chip         `toml:"chip"`
	Tables map[string]any `toml:",rest"`
}

// addedTable is a table of a controller that is on the board, with parts for it.
type addedTable struct {
	Name string `toml:"name"`
	Chip []Chip `toml:"chip"`
}

// Fit checks what is to come onto a board of a [Appliance.Clone], as what its file has was
// checked. The error is [tomlfile.Problems].
func (a *Appliance) Fit(board string, text Text) (*Fitting, error) {
	m, err := a.member(board)
	if err != nil {
		return nil, err
	}
	var add additions
	f := fitter{Appliance: a, m: m, text: &text, doc: tomlfile.Parse(text.name(), text.TOML, &add), before: m.Board.fit.Load()}
	if f.doc.Parsed {
		f.check(&add)
	}
	if f.doc.Problems.Sort(); len(f.doc.Problems) > 0 {
		return nil, f.doc.Problems
	}
	after := &fitted{controllers: f.board.drawn, parts: f.board.placed, lines: f.board.lines, absent: maps.Clone(f.before.absent)}
	for _, c := range f.controllers {
		after.absent[c.Name] = c.Unplugged
	}
	for _, p := range f.parts {
		after.absent[p.Name] = p.Unplugged
	}
	return &Fitting{Controllers: f.controllers, Parts: f.parts, Gone: f.gone, board: m.Board, before: f.before, after: after}, nil
}

// fitter checks what is to come onto a board.
type fitter struct {
	*Appliance
	m      *Member
	text   *Text
	doc    *tomlfile.Doc
	before *fitted

	board       *Board // with them
	controllers []*Controller
	parts       []*Part
	gone        []string
}

// list is a list of chips in the text.
type list struct {
	at    string // of its table; empty for [[chip]]
	on    *Controller
	chips []Chip
}

func (f *fitter) check(add *additions) {
	lists := append(f.tables(add.Tables), list{chips: add.Chip})
	named := make(map[string]string) // by name, where
	for _, c := range f.controllers {
		named[c.Name] = c.at
	}
	for _, l := range lists {
		for i := range l.chips {
			named[l.chips[i].Name] = tomlfile.Join(l.at, fmt.Sprintf("chip[%d]", i))
		}
	}
	if len(named) == 0 && len(f.doc.Problems) == 0 {
		f.doc.Add("", "there is nothing to plug: write [[chip]] or the table of a controller, such as [[disk]], as in a board file")
	}
	controllers, parts := f.kept(named)
	if len(f.doc.Problems) > 0 {
		return
	}
	b := f.m.Board
	f.board = &Board{Name: b.Name, drawn: slices.Concat(controllers, f.controllers), Chip: add.Chip, doc: b.doc, placed: parts, lines: f.lines(lists)}
	c := f.checker(controllers, parts)
	for _, x := range f.controllers {
		c.controller(x)
	}
	c.ttys()
	c.foreignDevices()
	c.interfaces()
	for _, l := range lists {
		for i := range l.chips {
			if l.on == nil {
				continue
			}
			ch := &l.chips[i]
			if c.nested(fmt.Sprintf("%s.chip[%d]", l.at, i), ch, l.on.socket()); ch.Part.Model != nil {
				f.board.placed = append(f.board.placed, ch.Part)
			}
		}
	}
	c.placed()
	c.places()
	c.described()
	f.parts = f.board.placed[len(parts):]
	if n := f.plugged(); n > maxPlugged {
		f.doc.Add("", "board %s would have %d parts and controllers that its file does not have; it may have %d", f.m.Name, n, maxPlugged)
	}
	for _, p := range f.parts {
		if f.text.File != "" {
			p.beside = f.doc.Beside
		}
		f.contents(p)
	}
	f.media(controllers)
}

// out are the names of what is unplugged, or on something that is.
func (f *fitted) out() map[string]bool {
	out := maps.Clone(f.absent)
	for _, p := range f.parts { // each after what it is on
		out[p.Name] = out[p.Name] || out[p.Provider]
	}
	return out
}

// kept is what stays on the board, beside new ones of those names.
func (f *fitter) kept(named map[string]string) (controllers []*Controller, parts []*Part) {
	out := f.before.out()
	replaced := func(name string) bool { return named[name] != "" && out[name] }
	refuse := func(name, format string, args ...any) {
		f.doc.Add(named[name]+".name", "%s cannot be replaced: "+format, append([]any{name}, args...)...)
	}
	for _, c := range f.before.controllers {
		at := named[c.Name]
		switch {
		case at == "" || c.Kind.Always != "": // in which the checker finds the name
			controllers = append(controllers, c)
		case !out[c.Name]:
			f.taken(at+".name", c.Name, c.doc, c.at)
		default:
			f.gone = append(f.gone, c.Name)
		}
		for _, ref := range c.Soldered {
			if at == "" && replaced(ref.Provider) {
				refuse(ref.Provider, "%s is soldered to it", c.Name)
			}
		}
	}
	for _, p := range f.before.parts {
		at := named[p.Name]
		switch {
		case at == "":
			parts = append(parts, p)
			if replaced(p.Provider) {
				refuse(p.Provider, "%s is on it", p.Name)
			}
			for _, ref := range p.Soldered {
				if replaced(ref.Provider) {
					refuse(ref.Provider, "%s is soldered to it", p.Name)
				}
			}
		case !out[p.Name]:
			f.taken(at+".name", p.Name, p.doc, p.at)
		default:
			f.gone = append(f.gone, p.Name)
		}
	}
	for _, l := range f.Joined() {
		for i := range l.Ends {
			e := &l.Ends[i]
			on := e.Port
			if on == "" {
				on = e.Line.Provider
			}
			if f.on(e, f.m) && replaced(on) {
				refuse(on, "the %s %s is on it", l.Kind.Name, l.Name)
			}
		}
	}
	return controllers, parts
}

// lines finds the lines of the board with what is new.
func (f *fitter) lines(lists []list) *lineNames {
	n := &lineNames{providers: maps.Clone(f.before.lines.providers)}
	for _, name := range f.gone {
		delete(n.providers, name)
	}
	for _, name := range f.before.lines.controllers {
		if n.providers[name] != nil {
			n.controllers = append(n.controllers, name)
		}
	}
	for _, c := range f.controllers {
		n.controller(c)
	}
	for _, l := range lists {
		on := ""
		if l.on != nil {
			on = l.on.socket().lines
		}
		n.chips(f.catalog, l.chips, on)
	}
	return n
}

// checker is one that knows what is on the board.
func (f *fitter) checker(controllers []*Controller, parts []*Part) *checker {
	c := &checker{b: f.board, doc: f.doc, catalog: f.catalog, paths: &f.paths, parts: make(map[string]string), devices: make(map[string]string), drivers: make(map[Line]driver), absent: f.before.absent}
	for _, x := range controllers {
		if c.parts[x.Name] = ""; x.Kind.Always != "" {
			continue
		}
		c.parts[x.Name] = placeIn(x.doc, x.at+".name")
		if x.Device != "" {
			c.devices[x.Device] = placeIn(x.doc, x.at+".device")
		}
	}
	for _, p := range parts {
		if c.absent[p.Name] {
			continue
		}
		for name, ref := range p.Soldered {
			c.pinDrives(ref)
			if spec, ok := pin(p.Model, name); ok && spec.Output {
				c.drivers[ref] = driver{p.Name + "." + name, p.openDrain(spec)}
			}
		}
	}
	for _, l := range f.Joined() {
		for i := range l.Ends {
			if e := &l.Ends[i]; e.Port == "" && e.Drives && e.Board == f.m.Name {
				c.drivers[e.Line] = driver{who: "the " + l.Kind.Name + " " + l.Name}
			}
		}
	}
	return c
}

// plugged is how many parts and controllers the board would have that are not in its file.
func (f *fitter) plugged() (n int) {
	for _, c := range f.board.drawn {
		if c.doc != f.m.Board.doc {
			n++
		}
	}
	for _, p := range f.board.placed {
		if p.doc != f.m.Board.doc {
			n++
		}
	}
	return n
}

// contents checks the file in which a part keeps its contents: nobody else may have it.
func (f *fitter) contents(p *Part) {
	file := p.contents()
	if file == "" {
		return
	}
	at := p.at + "." + contentsOption
	path, err := filepath.Abs(p.Beside(file))
	if err == nil {
		err = f.paths.Add(f.doc, at, file, path)
	}
	if err == nil {
		err = hostfile.Check(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.doc.Add(at, "%s: %v", p.Beside(file), hostfile.Cause(err))
		return
	}
	for _, m := range f.Members() {
		others := m.Board.Parts()
		if m == f.m {
			others = slices.Concat(others, f.parts)
		}
		for _, other := range others {
			if its := other.contents(); its != "" && other != p {
				if taken, err := filepath.Abs(other.Beside(its)); err == nil && taken == path {
					if m == f.m && slices.Contains(f.gone, other.Name) {
						f.doc.Add(at, "%s.%s, which is unplugged, keeps its contents in %s: plug that again, or give this another file", m.Name, other.Name, file)
						return
					}
					f.doc.Add(at, "%s.%s and %s.%s keep their contents in the same file, %s: give each its own", f.m.Name, p.Name, m.Name, other.Name, file)
					return
				}
			}
		}
	}
}

// contents is the name of the file in which the part keeps its contents; empty for none.
func (p *Part) contents() string {
	spec, ok := p.Model.Option(contentsOption)
	if !ok || spec.Kind != periph.Text {
		return ""
	}
	return p.Options.Values[contentsOption].Text()
}

// Beside is where a file is that the part's table names.
func (p *Part) Beside(name string) string { return p.beside(name) }
