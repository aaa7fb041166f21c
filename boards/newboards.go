package boards

import (
	"slices"
	"sync/atomic"

	"backplane/boards/tomlfile"
)

// readNew reads the files of boards that are to come beside those that there are, and checks them; doc is the text
// that says so. The problems are those of the boards' files.
func (a *Appliance) readNew(doc *tomlfile.Doc, list []Member) (fresh []*Member, problems tomlfile.Problems) {
	own := Appliance{Name: a.Name, Board: list, doc: doc, catalog: a.catalog, paths: tomlfile.Paths{Folder: a.paths.Folder}}
	problems = own.readBoards(a.catalog)
	there := a.Members()
	fresh = own.Members()
	if n := len(there) + len(fresh); n > MaxBoards {
		doc.Add("board", "the appliance would have %d boards; it may have %d", n, MaxBoards)
	}
	a.newNames(&own)
	if len(problems) == 0 && len(doc.Problems) == 0 { // then what they have beside the others
		own.join = new(atomic.Pointer[joined])
		own.join.Store(&joined{boards: slices.Concat(there, fresh)})
		own.checkFiles(len(there))
		own.checkDisks(len(there))
	}
	return fresh, problems
}

// newNames checks what boards are called that are to come, and their slots.
func (a *Appliance) newNames(own *Appliance) {
	doc, list := own.doc, own.Members()
	names := make(map[string]string) // where each stands
	for _, m := range a.Members() {
		names[m.Name] = placeIn(m.doc, m.at)
	}
	for _, m := range list {
		switch first := names[m.Name]; {
		case m.Name == "": // its file was not found, which has been said
		case !validName.MatchString(m.Name):
			doc.Add(m.at+".name", "name %q %s", m.Name, nameRule)
		case first != "":
			doc.Add(m.at+".name", "the name %q is taken, in %s: give the board another one with name", m.Name, first)
		case len(a.InSlot(m.Name)) > 0:
			doc.Add(m.at+".name", "%q is the name of a slot: links could not tell which of the two they mean", m.Name)
		case a.link(m.Name) != nil:
			l := a.link(m.Name)
			doc.Add(m.at+".name", clash, m.Name, "link", placeIn(l.doc, l.at))
		}
		names[m.Name] = placeIn(doc, m.at)
	}
	own.checkSlots(names)
}
