package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// socket is what a chip can be on: a controller, or a socket of another part.
type socket struct {
	provider string
	name     string // empty for a controller
	bus      string // the kind of bus that it is
	lines    string // the GPIO controller whose lines need no name before them; empty for none
}

func (c *Controller) socket() socket {
	s := socket{provider: c.Name, bus: c.Kind.Table}
	if _, ok := c.lines(); ok {
		s.lines = c.Name
	}
	return s
}

// Bus is what the part is on, as board files have it: "i2c0", "mux0.2".
func (p *Part) Bus() string {
	if p.Socket == "" {
		return p.Provider
	}
	return p.Provider + "." + p.Socket
}

// nested checks a chip that stands in its controller's table.
func (c *checker) nested(at string, ch *Chip, on socket) {
	if ch.On != "" {
		c.doc.Add(at+".on", "part %q is in the table of %s, and so is on it: only [[chip]] tables have on", ch.Name, on.provider)
	}
	c.chip(at, ch, on)
}

// placed checks the chips that say themselves what they are on, each after the one that
// it is on.
func (c *checker) placed() {
	index := make(map[string]int) // by name
	for i := range c.b.Chip {
		if _, taken := index[c.b.Chip[i].Name]; !taken {
			index[c.b.Chip[i].Name] = i
		}
	}
	begun := make([]bool, len(c.b.Chip))
	var place func(i int)
	place = func(i int) {
		if begun[i] {
			return
		}
		begun[i] = true
		ch, at := &c.b.Chip[i], fmt.Sprintf("chip[%d]", i)
		provider, _, _ := strings.Cut(ch.On, ".")
		if j, ok := index[provider]; ok {
			place(j)
		}
		on, err := c.socket(ch)
		if err != nil {
			c.part(at, ch.Name, "part")
			c.doc.Add(tomlfile.Join(at, "on"), "part %q: %v", ch.Name, err)
			return
		}
		c.chip(at, ch, on)
		if ch.Part.Model != nil {
			c.b.placed = append(c.b.placed, ch.Part)
		}
	}
	for i := range c.b.Chip {
		place(i)
	}
}

// socket finds what a chip says that it is on.
func (c *checker) socket(ch *Chip) (socket, error) {
	if ch.On == "" {
		return socket{}, fmt.Errorf("it is on nothing: write on = \"CONTROLLER\" or on = \"PART.CHANNEL\"")
	}
	var known []string
	for _, x := range c.b.Controllers() {
		if x.Kind.Chips {
			if x.Name == ch.On {
				return x.socket(), nil
			}
			known = append(known, x.Name)
		}
	}
	provider, name, _ := strings.Cut(ch.On, ".")
	for _, p := range c.b.Parts() {
		for _, s := range p.Model.Provides {
			if p.Name == provider && s.Name == name {
				return socket{provider: provider, name: name, bus: s.Bus}, nil
			}
			known = append(known, p.Name+"."+s.Name)
		}
	}
	if i := slices.IndexFunc(c.b.Chip, func(other Chip) bool { return other.Name == provider }); i >= 0 && c.b.Chip[i].Part == nil {
		return socket{}, fmt.Errorf("it is on %s, and %s is on nothing itself", ch.On, provider)
	}
	return socket{}, fmt.Errorf("there is no %q for it to be on%s", ch.On, periph.Suggest(ch.On, known))
}

// places finds parts in one place: on one bus, or on a bus that the other's is joined to.
// Of a part that is absent the place is free.
func (c *checker) places() {
	taken := make(map[string]*Part) // "i2c0 address 0x48"
	parts := make(map[string]*Part)
	unique := func(found func(p *Part, key, place string)) {
		for _, p := range c.b.Parts() {
			for i := range p.Mount.Keys {
				if key := &p.Mount.Keys[i]; key.Unique && !c.absent[p.Name] {
					if v, ok := p.Options.Values[key.Name]; ok {
						found(p, key.Name, key.Name+" "+key.Format(v))
					}
				}
			}
		}
	}
	unique(func(p *Part, key, place string) {
		parts[p.Name] = p
		if first := taken[p.Bus()+" "+place]; first != nil {
			c.doc.Add(p.at+"."+key, "%s on %s is taken by %s, in %s", place, p.Bus(), first.Name, c.where(first, key))
			return
		}
		taken[p.Bus()+" "+place] = p
	})
	unique(func(p *Part, key, place string) {
		for up := parts[p.Provider]; up != nil && up.Mount.Bus == p.Mount.Bus; up = parts[up.Provider] {
			first := taken[up.Bus()+" "+place]
			switch {
			case first == nil:
				continue
			case p.doc == c.doc:
				c.doc.Add(p.at+"."+key, "%s is taken on %s, which %s is joined to, by %s, in %s", place, up.Bus(), p.Bus(), first.Name, c.where(first, key))
			case first.doc == c.doc: // the part below it was there before
				c.doc.Add(first.at+"."+key, "%s is taken on %s, which %s is joined to, by %s, in %s", place, p.Bus(), up.Bus(), p.Name, c.where(p, key))
			}
			return
		}
	})
}

// where is the place of a part's key, for messages.
func (c *checker) where(p *Part, key string) string {
	if p.doc == c.doc {
		return c.doc.Where(p.at + "." + key)
	}
	return placeIn(p.doc, p.at+"."+key)
}
