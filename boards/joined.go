package boards

import (
	"maps"
	"slices"
)

// joined is what runs between the boards at one time. Where links come and go it is replaced as
// a whole, since others read it meanwhile; so are links whose ends come and go.
type joined struct {
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
	j := *a.join.Load()
	j.absent = maps.Clone(j.absent)
	j.absent[at.String()] = !in
	a.join.Store(&j)
}
