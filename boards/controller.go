package boards

import (
	"fmt"
	"maps"
	"slices"

	"backplane/boards/tomlfile"
	"backplane/periph"
)

// Controller is one table of a kind of controller.
type Controller struct {
	controllerTable
	Kind   *periph.ControllerKind
	Config periph.ControllerConfig

	at string // where it stands in the board file
}

// controllerTable is what tables of all kinds have.
type controllerTable struct {
	Name   string         `toml:"name"`
	Number *int           `toml:"number"`
	Device string         `toml:"device"`
	Chip   []Chip         `toml:"chip"`
	Values map[string]any `toml:",rest"`
}

// maxNumber is the highest number that a controller can be given.
const maxNumber = 255

// controllers decodes the tables of the catalog's kinds, in the catalog's order. The keys
// of the board file that are no such table are nobody's.
func (b *Board) controllers(catalog *periph.Catalog) {
	for _, k := range catalog.Controllers {
		if k.Always != "" {
			b.Controllers = append(b.Controllers, &Controller{controllerTable: controllerTable{Name: k.Always}, Kind: k, Config: k.Config()})
			continue
		}
		raw, ok := b.Tables[k.Table]
		if !ok {
			continue
		}
		var tables []controllerTable
		b.doc.Decode(k.Table, raw, &tables)
		for i := range tables {
			c := &Controller{controllerTable: tables[i], Kind: k, Config: k.Config(), at: fmt.Sprintf("%s[%d]", k.Table, i)}
			if c.Values == nil {
				c.Values = make(map[string]any)
			}
			c.without("number", c.Number != nil && !k.Numbered)
			c.without("chip", c.Chip != nil && !k.Chips)
			c.without("device", k.Device == "" && b.doc.Has(c.at+".device"))
			b.doc.Decode(c.at, c.Values, c.Config)
			b.Controllers = append(b.Controllers, c)
		}
	}
	b.byChips = busesFirst(b.Controllers)
	known := slices.Clone(tomlfile.Fields(Board{}))
	for _, k := range catalog.Controllers {
		if k.Always == "" {
			known = append(known, k.Table)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.Tables)) {
		if _, ok := catalog.Controller(key); !ok {
			b.doc.Add(key, "unknown key %q%s", key, tomlfile.Suggest(key, known))
		}
	}
}

// controller finds one by its name.
func (b *Board) controller(name string) *Controller {
	for _, c := range b.Controllers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// lines are the names of the controller's GPIO lines, if it has any.
func (c *Controller) lines() (names []string, ok bool) {
	config, ok := c.Config.(periph.LinesConfig)
	if !ok {
		return nil, false
	}
	return config.LineNames(), true
}

// busesFirst are the controllers in the order of their chips: what has nothing but pins
// comes after what is on buses.
func busesFirst(all []*Controller) []*Controller {
	list := slices.Clone(all)
	slices.SortStableFunc(list, func(x, y *Controller) int {
		_, first := x.lines()
		_, second := y.lines()
		switch {
		case first == second:
			return 0
		case second:
			return -1
		}
		return 1
	})
	return list
}

// without lets a key that the kind does not have be refused as any other that it has not.
func (c *Controller) without(key string, refused bool) {
	if refused {
		c.Values[key] = nil
	}
}

// controllers checks all, and gives those without a number the lowest free ones of their kind.
func (c *checker) controllers() {
	numbers := make(map[string]string) // alias: where it was given
	for _, x := range c.b.Controllers {
		if x.Kind.Always != "" {
			c.parts[x.Name] = ""
		}
	}
	for _, x := range c.b.Controllers {
		if x.Kind.Always != "" {
			continue
		}
		c.part(x.at, x.Name, x.Kind.Title)
		c.device(x.at, x.Device)
		x.Config.Check(func(key, format string, args ...any) { c.doc.Add(tomlfile.Join(x.at, key), format, args...) })
		if n := x.Number; n != nil && x.Kind.Numbered {
			first, taken := numbers[x.alias()]
			switch {
			case *n < 0 || *n > maxNumber:
				c.doc.Add(x.at+".number", "number is %d, and must be 0 to %d", *n, maxNumber)
			case taken:
				c.doc.Add(x.at+".number", "the number %d is taken, in %s", *n, c.doc.Where(first))
			}
			numbers[x.alias()] = x.at + ".number"
		}
	}
	next := make(map[*periph.ControllerKind]int)
	for _, x := range c.b.Controllers {
		if x.Number != nil || !x.Kind.Numbered {
			continue
		}
		n := next[x.Kind]
		for x.Number = &n; numbers[x.alias()] != ""; n++ {
		}
		next[x.Kind] = n + 1
	}
}

// alias is the name in the device tree by which the kernel numbers the controller.
func (c *Controller) alias() string { return fmt.Sprint(c.Kind.Table, *c.Number) }

// Alias is the name in the device tree by which the kernel numbers the controller, empty
// if it does not.
func (c *Controller) Alias() string {
	if !c.Kind.Numbered {
		return ""
	}
	return c.alias()
}
