package boards

import (
	"fmt"
	"maps"
	"slices"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// tables are the controllers of the text, and the parts of those that are on the board.
func (f *fitter) tables(tables map[string]any) (lists []list) {
	known := tomlfile.Fields(additions{})
	for _, k := range f.catalog.Controllers {
		if k.Always == "" {
			known = append(known, k.Table)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(tables)) {
		k, ok := f.catalog.Controller(key)
		if !ok {
			f.doc.Add(key, "unknown key %q%s", key, periph.Suggest(key, known))
			continue
		}
		var raw []controllerTable
		f.doc.Decode(key, tables[key], &raw)
		for i := range raw {
			lists = append(lists, f.table(k, raw[i], i)...)
		}
	}
	return lists
}

// table is a controller that is to come onto the board, or one that is there and gets parts.
func (f *fitter) table(k *periph.ControllerKind, raw controllerTable, number int) []list {
	at := fmt.Sprintf("%s[%d]", k.Table, number)
	there := f.m.Board.controller(raw.Name)
	given, chips := raw.Values[chipKey]
	onlyChips := k.Chips && chips && len(raw.Values) == 1
	switch {
	case there != nil && there.Kind == k && (!f.before.absent[raw.Name] || onlyChips && !f.carries(raw.Name, given)):
		if !chips {
			f.taken(at, raw.Name, there.doc, there.at)
			return nil
		}
		t := addedTable{Name: raw.Name}
		f.doc.DecodeAll(at, raw.Values, &t)
		return []list{{at, there, t.Chip}}
	case there != nil && there.Kind.Always != "": // which the checker says
		there = nil
	}
	beside := f.m.Board.Beside
	if f.text.File != "" {
		beside = f.doc.Beside
	}
	c := newController(k, raw, f.doc, beside, number)
	c.late = true
	if c.Number != nil {
		f.doc.Add(at+".number", "the kernel itself numbers what is plugged: leave number out")
	}
	if there != nil && there.Kind == k { // it gets that one's place
		c.Index, c.Number, c.alias, c.late = there.Index, there.Number, there.alias, there.late
		if !c.late { // by which the device tree has it
			c.TTY = there.TTY
		}
	} else {
		for _, other := range slices.Concat(f.before.controllers, f.controllers) {
			if other.Kind == k {
				c.Index = max(c.Index, other.Index+1)
			}
		}
	}
	f.controllers = append(f.controllers, c)
	return []list{{at, c, c.Chip}}
}

// carries tells whether one of these chips is on a controller already: who plugs it with that means the whole of it.
func (f *fitter) carries(controller string, chips any) bool {
	named := func(name string) bool {
		is := func(chip map[string]any) bool { return chip["name"] == name }
		switch list := chips.(type) {
		case []map[string]any:
			return slices.ContainsFunc(list, is)
		case []any: // within a line
			return slices.ContainsFunc(list, func(chip any) bool {
				table, ok := chip.(map[string]any)
				return ok && is(table)
			})
		}
		return false
	}
	return slices.ContainsFunc(f.before.parts, func(p *Part) bool { return p.Provider == controller && named(p.Name) })
}

// chipKey is the key of a controller's table that has its chips.
const chipKey = "chip"

// taken refuses a name that what stands at there, of doc, has, which is plugged.
func (f *fitter) taken(at, name string, doc *tomlfile.Doc, there string) {
	unplug := name
	if _, cable := f.cableAt(f.m, name); cable {
		unplug += Card
	}
	f.doc.Add(at, "%s is plugged, by %s: unplug %s.%s first", name, placeIn(doc, there+".name"), f.m.Name, unplug)
}

// media checks the files of disks that are new.
func (f *fitter) media(kept []*Controller) {
	first := make(map[string]string) // by path: who keeps what it writes there
	for _, m := range f.Members() {
		list := m.Board.Controllers()
		if m == f.m {
			list = kept
		}
		for _, c := range list {
			if medium, ok := m.Board.Medium(c); ok {
				m.keeps(c, medium, first)
			}
		}
	}
	for _, c := range f.controllers {
		if medium, ok := f.board.Medium(c); ok {
			f.checkMedium(f.m, c, medium, first, func(p tomlfile.Problem) { f.doc.Problems = append(f.doc.Problems, p) })
		}
	}
}
