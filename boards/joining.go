package boards

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// Joining is what is to come into a [Appliance.Clone]: boards, and what runs between boards.
type Joining struct {
	Boards []*Member // as their files have them
	New    []*Link
	Grown  []Growth
	Gone   []Place // links, and ports of links, that others take the ends of: they were unplugged

	a             *Appliance
	before, after *joined
}

// Growth is a link that gets more ends.
type Growth struct {
	Link *Link             // with them
	More periph.LinkConfig // the table that says so
	Ends []End             // those that are new
}

// ApplyBoards puts the boards into the description, and what is between them not yet.
func (j *Joining) ApplyBoards() { j.a.change(func(to *joined) { to.boards = j.after.boards }) }

// Apply puts all that into the description.
func (j *Joining) Apply() { j.a.setJoined(j.after) }

// Undo makes Apply undone, and ApplyBoards.
func (j *Joining) Undo() { j.a.setJoined(j.before) }

// maxJoined is how many links an appliance may have that its file does not.
const maxJoined = 1000

// joiner checks what is to come.
type joiner struct {
	linkChecker // of a copy of the appliance, which has the text's links alone, and the boards that come
	fresh       []*Member
	of          *Appliance // whose links there are
	before      *joined
}

// Join checks what is to come into a [Appliance.Clone], as what its file has was checked. Files that the text
// names are relative to its own, or to the appliance's if it came from none. The error is [tomlfile.Problems].
func (a *Appliance) Join(text Text) (*Joining, error) {
	var tables struct {
		Board  []Member       `toml:"board"`
		Tables map[string]any `toml:",rest"`
	}
	own := *a
	own.Links, own.join = nil, new(atomic.Pointer[joined])
	own.doc = tomlfile.Parse(text.name(), text.TOML, &tables)
	own.Tables = tables.Tables
	if text.File == "" {
		own.doc.Folder = filepath.Dir(a.doc.File)
	}
	j := joiner{linkChecker: newLinkChecker(&own), of: a, before: a.join.Load()}
	var problems tomlfile.Problems // of boards' files
	var result *Joining
	if own.doc.Parsed {
		j.fresh, problems = a.readNew(own.doc, tables.Board)
		own.join.Store(&joined{boards: slices.Concat(j.before.boards, j.fresh)})
		own.links(false)
		result = j.check()
	}
	own.doc.Problems.Sort()
	if problems = append(own.doc.Problems, problems...); len(problems) > 0 {
		return nil, problems
	}
	return result, nil
}

func (j *joiner) check() *Joining {
	if len(j.Links) == 0 && len(j.fresh) == 0 && len(j.doc.Problems) == 0 {
		j.doc.Add("", "there is nothing to plug: write [[board]] or the table of a link, such as [[serial]], as in an appliance file")
	}
	grown := make(map[string]*Link) // what there is, by name
	for _, l := range j.Links {
		switch there := j.of.link(l.Name); {
		case there == nil || l.Name == "":
		case j.before.absent[l.Name]:
			j.gone[l.Name] = Place{Link: there}
		case there.Kind != l.Kind || !there.grows():
			j.doc.Add(l.at+".name", "%s is plugged, by %s: unplug %s first", l.Name, placeIn(there.doc, there.at), l.Name)
			return nil
		default:
			grown[l.Name] = there
		}
	}
	j.claims()
	names := make(map[string]string)
	for _, x := range slices.Concat(named(j.Gateway, func(g *Gateway) string { return g.Name }), named(j.Capture, func(c *Capture) string { return c.Name })) {
		names[x] = j.of.doc.File
	}
	result := &Joining{Boards: j.fresh, a: j.of, before: j.before}
	for _, l := range j.Links {
		j.unique(names, l.at, l.Name, l.Kind.Name)
		j.ends(l)
		there := grown[l.Name]
		if m := j.Member(l.Name); m != nil && (m.Slot != "" || m.doc != j.of.doc) {
			j.doc.Add(l.at+".name", clash, l.Name, "board", placeIn(m.doc, m.at))
		}
		if there == nil {
			j.finish(l, l.Ends)
			j.checkOutside(l)
			result.New = append(result.New, l)
		} else {
			result.Grown = append(result.Grown, j.grow(l, there))
		}
		if len(j.doc.Problems) == 0 {
			j.checkDomain(l, there)
		}
	}
	if len(j.doc.Problems) > 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(j.gone)) {
		result.Gone = append(result.Gone, j.gone[name])
	}
	j.settle(result)
	return result
}

// claims notes which ends have a link. Those of a cable that is unplugged are free: the link loses
// them to who takes them.
func (j *joiner) claims() {
	for _, l := range j.before.links {
		if _, goes := j.gone[l.Name]; goes {
			continue
		}
		for i := range l.Ends {
			e, at := &l.Ends[i], Place{Link: l}
			if l.apart() {
				at.Port = e.Name
			}
			c := claim{where: placeIn(l.doc, l.at), of: at, free: j.before.absent[l.Name] || j.before.absent[at.String()]}
			switch {
			case e.Board == "": // a gateway
			case e.Port != "":
				j.ports[e.Name] = c
			case e.Drives:
				for _, key := range j.lineKeys(e) {
					j.driven[key] = c
				}
			}
		}
	}
}

// lineKeys are the lines that an end drives: those of all boards of its slot.
func (c *linkChecker) lineKeys(e *End) (keys []string) {
	if e.Slot == "" {
		return []string{lineKey(e.Board, e.Line)}
	}
	for _, card := range e.Cards {
		if card.Line != nil {
			keys = append(keys, lineKey(c.Members()[card.Member].Name, *card.Line))
		}
	}
	return keys
}

// grows tells whether the link takes more ends.
func (l *Link) grows() bool {
	_, ok := l.Config.(periph.GrowingConfig)
	return ok
}

// grow checks a table that gives a link more ends.
func (j *joiner) grow(more, there *Link) Growth {
	config := there.Config.(periph.GrowingConfig)
	known := config.Grows()
	for _, key := range slices.Sorted(maps.Keys(more.Values)) {
		if !slices.Contains(known, key) {
			j.doc.Add(more.at+"."+key, "%s is plugged, by %s, and can have more ports: write %s alone; set changes the rest",
				more.Name, placeIn(there.doc, there.at), strings.Join(known, " and "))
		}
	}
	grown := *there
	grown.Ends = slices.Concat(there.Ends, more.Ends)
	j.finish(more, slices.Concat(there.Ends, more.Ends))
	if len(j.doc.Problems) > 0 {
		return Growth{}
	}
	var err error
	if grown.Config, err = config.With(more.Config); err != nil {
		j.doc.Add(more.at, "%v", err)
	}
	if c := grown.network(); c != nil && !c.HasVLANs() {
		at := grown
		at.at = more.at
		j.checkHosts(&at)
	}
	return Growth{Link: &grown, More: more.Config, Ends: more.Ends}
}

// checkOutside refuses a link to the host where nothing may lead out.
func (j *joiner) checkOutside(l *Link) {
	if what := l.Outside(); what != "" && j.paths.Folder != nil {
		j.doc.Add(l.at, shutOutside, l.Kind.Name, l.Name, what)
	}
}

// checkDomain refuses a link without delay between boards that run apart.
func (j *joiner) checkDomain(l, there *Link) {
	ends := l.hosts()
	if there != nil {
		ends = append(there.hosts(), ends...)
	}
	if !l.Config.Instant() || len(ends) == 0 {
		return
	}
	all := *j.of
	all.join = j.join
	of, _ := all.Domains()
	first := ends[0]
	for _, e := range ends[1:] {
		if of[e.Member] == of[first.Member] {
			continue
		}
		how := ""
		if keys := tomlfile.Fields(reflect.ValueOf(l.Config).Elem().Interface()); slices.Contains(keys, "delay") {
			how = "give it a delay, or "
		}
		j.doc.Add(tomlfile.Join(l.at, e.Key), "%s and %s run apart, and a %s joins boards that share their time: %swrite lockstep = true in the [[board]] tables of both",
			first.Board, e.Board, l.Kind.Name, how)
		return
	}
}

// withCards is a link with the boards that come into the slots of its ends.
func (j *joiner) withCards(l *Link) *Link {
	with := l
	for i := range l.Ends {
		for k, m := range j.fresh {
			e := &l.Ends[i]
			if m.Slot == "" || m.Slot != e.Slot {
				continue
			}
			_, name, _ := strings.Cut(e.Name, ".")
			card, _ := j.card(l, m, len(j.before.boards)+k, name)
			if card.Line != nil && e.Drives {
				j.driveCard(m.at+".slot", m, name, card)
			}
			if card.Controller != nil {
				l.checkCard(func(_, format string, args ...any) {
					j.doc.Add(m.at+".slot", "%s %s: %s", l.Kind.Name, l.Name, fmt.Sprintf(format, args...))
				}, l.Ends, i, card)
			}
			if with == l {
				copied := *l
				copied.Ends = slices.Clone(l.Ends)
				with = &copied
			}
			with.Ends[i].Cards = append(slices.Clip(with.Ends[i].Cards), card)
		}
	}
	return with
}

// settle works out what there will be.
func (j *joiner) settle(r *Joining) {
	after := &joined{boards: slices.Clone(j.before.boards), absent: maps.Clone(j.before.absent)}
	for _, m := range j.fresh {
		after.boards = append(after.boards, m.clone())
	}
	for _, l := range j.before.links {
		grown := l
		for _, g := range r.Grown {
			if g.Link.Name == l.Name {
				grown = g.Link
			}
		}
		lost := func(e End) bool {
			_, goes := j.gone[Place{l, e.Name}.String()]
			return goes && slices.ContainsFunc(l.Ends, func(had End) bool { return had.Name == e.Name })
		}
		if _, goes := j.gone[l.Name]; goes {
			delete(after.absent, l.Name)
			for _, port := range l.portNames() {
				delete(after.absent, Place{l, port}.String())
			}
			continue
		}
		if slices.ContainsFunc(l.Ends, lost) {
			left := *grown
			left.Ends = nil
			config, _ := left.Config.(periph.GrowingConfig)
			for _, e := range grown.Ends {
				if !lost(e) {
					left.Ends = append(left.Ends, e)
				} else if delete(after.absent, Place{l, e.Name}.String()); config != nil {
					config = config.Without(e.Name)
				}
			}
			if config != nil {
				left.Config = config
			}
			grown = &left
		}
		after.links = append(after.links, j.withCards(grown))
	}
	after.links = append(after.links, r.New...)
	plugged := 0
	for _, l := range after.links {
		if l.doc != j.of.doc {
			plugged++
		}
	}
	if plugged > maxJoined {
		j.doc.Add("", "the appliance would have %d links that its file does not have; it may have %d", plugged, maxJoined)
	}
	r.after = after
}
