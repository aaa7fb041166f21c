package boards

import (
	"maps"
	"slices"
)

// joined are the boards that there are at one time, and what runs between them. Where those come
// and go it is replaced as a whole, since others read it meanwhile; so are links whose ends come and go.
type joined struct {
	boards []*Member
	links  []*Link
	absent map[string]bool // places, by name, whose cable is unplugged
}

// Joined are the links that there are: those of the file, and of a [Appliance.Clone] those that
// were plugged.
func (a *Appliance) Joined() []*Link {
	if a.join == nil {
		return a.Links
	}
	return a.join.Load().links
}

// Members are the boards that there are, in the order in which they came.
func (a *Appliance) Members() []*Member {
	if a.join != nil {
		return a.join.Load().boards
	}
	list := make([]*Member, len(a.Board))
	for i := range a.Board {
		list[i] = &a.Board[i]
	}
	return list
}

// link is the link of that name, nil if there is none.
func (a *Appliance) link(name string) *Link {
	links := a.Joined()
	i := slices.IndexFunc(links, func(l *Link) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return links[i]
}

// SetCable notes of a [Appliance.Clone] whether the cable at a place of a link is plugged.
func (a *Appliance) SetCable(at Place, in bool) {
	if a.join != nil {
		a.change(func(j *joined) {
			j.absent = maps.Clone(j.absent)
			j.absent[at.String()] = !in
		})
	}
}

// setJoined changes all that there is.
func (a *Appliance) setJoined(to *joined) { a.change(func(j *joined) { *j = *to }) }

// change changes what there is of a [Appliance.Clone].
func (a *Appliance) change(f func(j *joined)) {
	for {
		was := a.join.Load()
		j := *was
		if f(&j); a.join.CompareAndSwap(was, &j) {
			return
		}
	}
}
