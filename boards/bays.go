package boards

import (
	"fmt"
	"slices"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/gpio"
)

// SlotBoard is a board that a link's end is at while the board is in the end's slot.
type SlotBoard struct {
	Member     int         // of the appliance's boards
	Controller *Controller // of the port; nil if the board has none, or for a line
	Line       *Line       // nil if the board has none, or for a port
}

// On tells whether the end is at a board, or would be if that were in its slot.
func (e *End) On(member int) bool {
	if e.Slot == "" {
		return e.Member == member
	}
	return slices.ContainsFunc(e.Cards, func(c SlotBoard) bool { return c.Member == member && (c.Controller != nil || c.Line != nil) })
}

// Slots are the names of the slots in which boards take turns.
func (a *Appliance) Slots() (names []string) {
	for _, m := range a.Members() {
		if s := m.Slot; s != "" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return names
}

// InSlot are the boards that take turns in a slot, by their numbers.
func (a *Appliance) InSlot(slot string) (cards []int) {
	for i, m := range a.Members() {
		if slot != "" && m.Slot == slot {
			cards = append(cards, i)
		}
	}
	return cards
}

// checkSlots checks what boards say of their slots.
func (a *Appliance) checkSlots(names map[string]string) {
	first := make(map[string]string) // by slot: where a board says that it is in it at the start
	for _, m := range a.Members() {
		at := m.at
		if m.Slot == "" {
			if m.Unplugged {
				a.doc.Add(at+".unplugged", "a board that is plugged later needs a slot: write slot = \"NAME\"")
			}
			continue
		}
		if !validName.MatchString(m.Slot) {
			a.doc.Add(at+".slot", "slot %q %s", m.Slot, nameRule)
		}
		if other, taken := names[m.Slot]; taken {
			a.doc.Add(at+".slot", "%q is the name of a board, in %s: links could not tell which of the two they mean", m.Slot, other)
		}
		switch other, taken := first[m.Slot]; {
		case m.Unplugged:
		case taken:
			a.doc.Add(at, "a board is in slot %s at the start, in %s: the others that take turns in it need unplugged = true", m.Slot, a.doc.Where(other))
		default:
			first[m.Slot] = at
		}
	}
}

// checkCardNames checks that a card is not called as a link is; links has where each of those stands.
func (a *Appliance) checkCardNames(links map[string]string) {
	for _, m := range a.Members() {
		if other, taken := links[m.Name]; taken && m.Slot != "" {
			a.doc.Add(m.at+".name", clash, m.Name, "link", other)
		}
	}
}

// clash is what is wrong with a name of what can be plugged, which something else has as well.
const clash = "%q is the name of a %s, in %s: 'plug' and 'unplug' could not tell which of the two they mean"

// slotEnd finds what an end leads to on each of the boards of a slot.
func (c *linkChecker) slotEnd(l *Link, at, slot, rest string, end End) End {
	if !l.Kind.Slots || l.Outside() != "" {
		c.doc.Add(at, "the %s cannot have an end in a slot: name a board that stays where it is", l.Kind.Name)
		return end
	}
	end.Slot, end.Board, end.Member = slot, slot, -1
	title := "line"
	for _, i := range c.InSlot(slot) {
		m := c.Members()[i]
		if m.Board == nil { // which has been said
			return end
		}
		var card SlotBoard
		card, title = c.card(l, m, i, rest)
		if end.Cards = append(end.Cards, card); end.Member < 0 && (card.Line != nil || card.Controller != nil) {
			end.Member = i
			if card.Line != nil {
				end.Line = *card.Line
			} else {
				end.Port, end.Controller, end.Config = rest, card.Controller, card.Controller.Config
			}
		}
		if card.Line != nil && end.Drives {
			c.driveCard(at, m, rest, card)
		}
	}
	if end.Member < 0 {
		end.Member, end.Board = 0, ""
		c.doc.Add(at, "no board of slot %s has %s %q", slot, tomlfile.A(title), rest)
		return end
	}
	c.take(l, at, end.Name)
	return end
}

// card is what a board of a slot has for an end; title is what messages call that.
func (c *linkChecker) card(l *Link, m *Member, member int, name string) (card SlotBoard, title string) {
	card = SlotBoard{Member: member}
	if l.Kind.Joins == gpio.BusName {
		if line, err := m.Board.Line(name, ""); err == nil {
			card.Line = &line
		}
		return card, "line"
	}
	title, ports := m.Board.ports(c.catalog, l.Kind.Joins)
	if k := slices.IndexFunc(ports, func(p *Controller) bool { return p.Name == name }); k >= 0 {
		card.Controller = ports[k]
	}
	return card, title
}

// driveCard finds what drives a line of a board of a slot beside the link.
func (c *linkChecker) driveCard(at string, m *Member, line string, card SlotBoard) {
	c.drive(at, m, &End{LinkEnd: periph.LinkEnd{Name: m.Name + "." + line}, Line: *card.Line})
}

// checkCard checks the link's table with a board that may be in the slot of one of its ends.
func (l *Link) checkCard(report periph.Report, ends []End, at int, card SlotBoard) {
	with := linkEnds(ends)
	with[at].Config = card.Controller.Config
	l.Config.Check(report, with)
}

// Card is what a board of a slot has for an end of a link.
func (a *Appliance) Card(link, end string, member int) (card SlotBoard) {
	l := a.link(link)
	if l == nil {
		return card
	}
	for i := range l.Ends {
		for _, c := range l.Ends[i].Cards {
			if l.Ends[i].Name == end && c.Member == member {
				card = c
			}
		}
	}
	return card
}

// take notes that a port has a link.
func (c *linkChecker) take(l *Link, at, port string) {
	switch first, taken := c.ports[port]; {
	case !taken || l.Kind.Joins == gpio.BusName || c.loses(first):
	case first.of.Link != nil:
		on := first.of.Link
		c.doc.Add(at, "the port %s is already on the %s %s, by %s: unplug %s first", port, on.Kind.Name, on.Name, first.where, first.of)
	default:
		c.doc.Add(at, "the port %s is already on a %s, in %s", port, l.Kind.Name, first.where)
	}
	c.ports[port] = claim{where: c.doc.Where(at)}
}

// CardNotes say what of the links of its slot a board lacks.
func (a *Appliance) CardNotes(member int) (notes []string) {
	for _, l := range a.Joined() {
		for i := range l.Ends {
			e := &l.Ends[i]
			for _, card := range e.Cards {
				if card.Member == member && card.Controller == nil && card.Line == nil {
					notes = append(notes, fmt.Sprintf("board %s has nothing for %s: the %s %s is open there while it is in the slot", a.Members()[card.Member].Name, e.Name, l.Kind.Name, l.Name))
				}
			}
		}
	}
	return notes
}
