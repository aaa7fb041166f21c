package appliance

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"backplane/boards"
	"backplane/periph"
	"backplane/simbus"
)

// joinText puts into the appliance what a text says: boards, and what runs between boards. Of that nobody is told but
// who sees it: a port that gets a carrier, or a line that follows another.
func (r *Running) joinText(text boards.Text) error {
	r.holding.Lock()
	defer r.holding.Unlock()
	j, err := r.appliance.Join(text)
	if err != nil {
		return err
	}
	if err := r.checkOutlets(j.New); err != nil {
		return err
	}
	if err := r.freeOutlets(j); err != nil {
		return err
	}
	for _, b := range j.Boards {
		if err := r.empty(b.Slot); err != nil && !b.Unplugged {
			return err
		}
	}
	j.ApplyBoards()
	came, err := r.addBoards(j.Boards)
	if err != nil {
		j.Undo()
		return err
	}
	was := maps.Clone(r.held)
	for _, at := range j.Gone {
		r.leave(at)
	}
	if made, err := r.joinLinks(j); err != nil {
		for _, at := range slices.Backward(made) {
			r.leave(at)
		}
		err = errors.Join(err, r.dropBoards(came))
		j.Undo()
		return errors.Join(err, r.comeBack(j.Gone, was))
	}
	j.Apply() // now that there is all that it has
	for _, l := range j.New {
		r.refill(l, l.Ends)
		r.emitCable(boards.Place{Link: l}, true)
		if note := l.Note(); note != "" {
			r.note(note)
		}
	}
	for _, g := range j.Grown {
		r.refill(g.Link, g.Ends)
		for i := range g.Ends {
			r.emitCable(boards.Place{Link: g.Link, Port: g.Ends[i].Name}, true)
		}
	}
	for _, m := range came {
		m.domain.Do(func() { err = errors.Join(err, m.begin()) })
	}
	return errors.Join(err, r.serveLines())
}

// joinLinks makes the links that are new, and the ends of those that grow. If there is an error, made are those of
// them that may be there.
func (r *Running) joinLinks(j *boards.Joining) (made []boards.Place, err error) {
	for _, l := range j.New {
		made = append(made, boards.Place{Link: l})
		if err := r.addLink(l); err != nil {
			return made, err
		}
	}
	for i := range j.Grown {
		g := &j.Grown[i]
		for k := range g.Ends {
			made = append(made, boards.Place{Link: g.Link, Port: g.Ends[k].Name})
		}
		if err := r.growLink(g); err != nil {
			return made, err
		}
	}
	return made, nil
}

func (r *Running) emitCable(at boards.Place, in bool) {
	r.cal.Emit(simbus.Event{Part: at.String(), Kind: KindPlug, Attrs: []simbus.Attr{plugState(in)}})
}

// growLink joins more ends to a link.
func (r *Running) growLink(g *boards.Growth) error {
	joints := make([]periph.Joint, len(g.Ends))
	for i := range g.Ends {
		joints[i] = r.jointOf(g.Link, &g.Ends[i])
	}
	if err := r.link(g.Link).(periph.GrowingLink).Join(g.More, joints); err != nil {
		return fmt.Errorf("%s %s: %w", g.Link.Kind.Name, g.Link.Name, err)
	}
	return nil
}

// leave takes a link, or a port of one, off for good.
func (r *Running) leave(at boards.Place) {
	if l := r.link(at.Link); l != nil { // else it could not be made
		l.Leave(at.Port)
		if _, is := l.(hostLink); is {
			r.closeLine(at.Link.Ends[0].Name)
		}
	}
	r.join(func(b *between) {
		for slot, turns := range b.turns {
			b.turns[slot] = slices.DeleteFunc(slices.Clone(turns), func(t turn) bool {
				return t.link == at.Link.Name && (at.Port == "" || t.end == at.Port)
			})
		}
		if at.Port == "" {
			delete(b.links, at.Link.Name)
		}
	})
	for _, p := range within(at) {
		delete(r.held, p.String())
	}
}

// within are a place of a link and, of a whole one, its ports.
func within(at boards.Place) []boards.Place {
	list := []boards.Place{at}
	if at.Port == "" {
		for i := range at.Link.Ends {
			list = append(list, boards.Place{Link: at.Link, Port: at.Link.Ends[i].Name})
		}
	}
	return list
}

// comeBack makes links, and ports of links, that have left for others which could not be made: unplugged, as they were.
func (r *Running) comeBack(gone []boards.Place, was map[string]held) (err error) {
	for _, at := range gone {
		ends := at.Link.Ends
		if at.Port == "" {
			err = errors.Join(err, r.addLink(at.Link))
		} else {
			ends = slices.DeleteFunc(slices.Clone(ends), func(e boards.End) bool { return e.Name != at.Port })
			err = errors.Join(err, r.growLink(&boards.Growth{Link: at.Link, More: at.Link.Config, Ends: ends}))
		}
		r.refill(at.Link, ends)
	}
	r.held = was
	for _, at := range gone {
		l := r.link(at.Link)
		if l == nil { // it could not be made either
			continue
		}
		for _, p := range within(at) {
			if h, is := was[p.String()]; is {
				l.Cut(p.Port, h.cut || h.unplugged)
			}
		}
	}
	return err
}

// refill joins new ends of a link at slots to the boards that are in them.
func (r *Running) refill(l *boards.Link, ends []boards.End) {
	for i := range ends {
		e := &ends[i]
		m := r.present(e.Slot)
		if e.Slot == "" || m == nil {
			continue
		}
		for _, t := range r.between.Load().turns[e.Slot] {
			if t.link == l.Name && t.end == e.Name {
				m.domain.Do(func() { t.choose(m) })
			}
		}
	}
}
