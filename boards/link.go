package boards

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/gpio"
)

// Link is one table of a kind of link, with what its ends lead to.
type Link struct {
	linkTable
	Kind   *periph.LinkKind
	Config periph.LinkConfig
	Ends   []End

	doc *tomlfile.Doc // the file in which it stands: the appliance's, unless it was plugged
	at  string        // where it stands there
}

// Outside says what of the host the link leads to; empty if it does not lead there.
func (l *Link) Outside() string {
	if c, is := l.Config.(periph.HostLink); is {
		return c.Outside()
	}
	return ""
}

// linkEnds are what a kind of link knows of its ends.
func linkEnds(ends []End) (list []periph.LinkEnd) {
	for i := range ends {
		list = append(list, ends[i].LinkEnd)
	}
	return list
}

// Problem is a mistake about the link's table.
func (l *Link) Problem(format string, args ...any) tomlfile.Problem {
	return l.doc.Problem(l.at, format, args...)
}

// Note says, for people, what of the link they may not have meant; it may be empty.
func (l *Link) Note() string {
	if c, is := l.Config.(periph.NotedLink); is {
		if note := c.Note(linkEnds(l.Ends)); note != "" {
			return fmt.Sprintf("%s %s: %s", l.Kind.Name, l.Name, note)
		}
	}
	return ""
}

// Outside tells whether a link leads to the host.
func (a *Appliance) Outside() bool {
	return slices.ContainsFunc(a.Joined(), func(l *Link) bool { return l.Outside() != "" })
}

// linkTable is what tables of all kinds have.
type linkTable struct {
	Name   string         `toml:"name"`
	Values map[string]any `toml:",rest"`
}

// End is where a link is joined to a board: at a port, or at a line.
type End struct {
	periph.LinkEnd
	Member int    // of the appliance's boards; -1 for a gateway
	Port   string // "eth0", empty for a line
	// Controller is that of the port.
	Controller *Controller
	Line       Line
	// Slot is empty unless boards take turns at the end: Cards are those, and Member, Port,
	// Controller and Line are of the first that has what the link leads to.
	Slot  string
	Cards []SlotBoard
}

// links decodes the tables of the catalog's kinds, in the catalog's order. The keys of the
// text that are no such table, and that are not known otherwise, are nobody's; file tells whether
// it is the appliance's file.
func (a *Appliance) links(file bool) {
	known := []string{"board"}
	if file {
		known = tomlfile.Fields(Appliance{})
	}
	for _, k := range a.catalog.Links {
		known = append(known, k.Table)
		raw, ok := a.Tables[k.Table]
		if !ok {
			continue
		}
		var tables []linkTable
		a.doc.Decode(k.Table, raw, &tables)
		for i := range tables {
			l := &Link{linkTable: tables[i], Kind: k, Config: k.Config(), doc: a.doc, at: fmt.Sprintf("%s[%d]", k.Table, i)}
			a.doc.Decode(l.at, l.Values, l.Config)
			a.Links = append(a.Links, l)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.Tables)) {
		_, link := a.catalog.Link(key)
		_, controller := a.catalog.Controller(key)
		switch {
		case link:
		case !file && (controller || key == chipKey):
			a.doc.Add(key, "[[%s]] is a table of a board: name that as well, as in 'plug BOARD TEXT'", key)
		default:
			a.doc.Add(key, "unknown key %q%s", key, periph.Suggest(key, known))
		}
	}
}

// linkChecker checks links of all kinds.
type linkChecker struct {
	*Appliance
	ports  map[string]claim // that have a link
	driven map[string]claim // lines that a link drives
	gone   map[string]Place // by name: what loses its ends to others
}

// claim is a link's on an end.
type claim struct {
	where string // that is
	of    Place  // of a link that runs; else its Link is nil
	free  bool   // its cable is unplugged
}

func newLinkChecker(a *Appliance) linkChecker {
	return linkChecker{a, make(map[string]claim), make(map[string]claim), make(map[string]Place)}
}

// checkLinks checks the links, and finds what their ends lead to.
func (a *Appliance) checkLinks(names map[string]string) {
	c := newLinkChecker(a)
	for _, l := range a.Links {
		a.unique(names, l.at, l.Name, l.Kind.Name)
		c.ends(l)
		for i := range a.Gateway {
			if a.Gateway[i].Segment == l.Name && l.network() != nil {
				l.Ends = append(l.Ends, End{LinkEnd: periph.LinkEnd{Name: a.Gateway[i].Name}, Member: -1})
			}
		}
		c.finish(l, l.Ends)
	}
}

// ends finds what the ends of a link lead to.
func (c *linkChecker) ends(l *Link) {
	for _, e := range l.Config.Ends() {
		l.Ends = append(l.Ends, c.find(l, e))
	}
}

// finish checks what a link's table says of such ends: with each board of a slot, of which the first
// speaks for what they have alike.
func (c *linkChecker) finish(l *Link, ends []End) {
	report := func(key, format string, args ...any) { c.doc.Add(tomlfile.Join(l.at, key), format, args...) }
	checkTable(func(r periph.Report) {
		said := make(map[string]bool)
		once := func(key, format string, args ...any) {
			text := key + ": " + fmt.Sprintf(format, args...)
			if !said[text] {
				r(key, format, args...)
			}
			said[text] = true
		}
		l.Config.Check(once, linkEnds(ends))
		for i := range ends {
			for _, card := range ends[i].Cards {
				if card.Controller != nil && card.Controller != ends[i].Controller {
					l.checkCard(once, ends, i, card)
				}
			}
		}
	}, report, l.Values, l.Config)
	if n := l.network(); n != nil && !n.HasVLANs() {
		c.checkHosts(l)
	}
}

// find finds what an end leads to, and says what is wrong.
func (c *linkChecker) find(l *Link, e periph.LinkEnd) End {
	at, end := tomlfile.Join(l.at, e.Key), End{LinkEnd: e}
	if e.Name == "" && !c.doc.Has(at) {
		c.doc.Add(l.at, "the %s has no %s: write %s = \"BOARD.PLACE\"", l.Kind.Name, e.Key, e.Key)
		return end
	}
	if slot, rest, _ := strings.Cut(e.Name, "."); rest != "" && len(c.InSlot(slot)) > 0 {
		return c.slotEnd(l, at, slot, rest, end)
	}
	m, rest := c.end(at, e.Name)
	if m == nil {
		return end
	}
	_, end.Member = c.memberIndex(m.Name)
	if m.Slot != "" {
		c.doc.Add(at, "board %s is in slot %s: a link belongs to the slot: write %q", m.Name, m.Slot, m.Slot+"."+rest)
		return end
	}
	if l.Kind.Joins == gpio.BusName {
		line, err := m.Board.Line(rest, "")
		if err != nil {
			c.doc.Add(at, "board %s: %v", m.Name, err)
			return end
		}
		end.Board, end.Line = m.Name, line
		if e.Drives {
			c.drive(at, m, &end)
		}
		return end
	}
	title, ports := m.Board.ports(c.catalog, l.Kind.Joins)
	i := slices.IndexFunc(ports, func(p *Controller) bool { return p.Name == rest })
	if i < 0 {
		c.doc.Add(at, "board %s has no %s %q%s", m.Name, title, rest, periph.Suggest(rest, named(ports, func(p **Controller) string { return (*p).Name })))
		return end
	}
	c.take(l, at, e.Name)
	end.Board, end.Port, end.Controller, end.Config = m.Name, rest, ports[i], ports[i].Config
	return end
}

// drive finds what drives a line beside the link.
func (c *linkChecker) drive(at string, m *Member, end *End) {
	key := lineKey(m.Name, end.Line)
	if first, taken := c.driven[key]; taken && !c.loses(first) {
		c.doc.Add(at, "%s is driven by another wire, in %s: two outputs on one line", end.Name, first.where)
	}
	c.driven[key] = claim{where: c.doc.Where(at)}
	if who := m.Board.drives(end.Line); who != "" {
		c.doc.Add(at, "%s is driven by %s on its own board: two outputs on one line", end.Name, who)
	}
}

// lineKey is a line of a board among those that links drive.
func lineKey(board string, line Line) string { return fmt.Sprint(board, line) }

// loses tells whether who has a claim loses the end to another: its cable is unplugged. A link
// whose ends cannot be cut one by one goes as a whole.
func (c *linkChecker) loses(x claim) bool {
	if x.free {
		c.gone[x.of.String()] = x.of
	}
	return x.free
}

// ports are the board's controllers with that table, and what such a port is called.
func (b *Board) ports(catalog *periph.Catalog, table string) (title string, list []*Controller) {
	title = table
	if k, ok := catalog.Controller(table); ok {
		title = k.Title
	}
	for _, c := range b.Controllers() {
		if c.Kind.Table == table {
			list = append(list, c)
		}
	}
	return title, list
}
