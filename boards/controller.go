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
	number
	chips
	device
	Network
	Kind   *periph.ControllerKind
	Config periph.ControllerConfig
	Index  int // its place among those of its kind
	// Soldered are the lines of its pins, by the table's keys.
	Soldered map[string]Line
	// TTY is what the kernel calls it in /dev, if it has a name there: "ttyS1". The board
	// file's Device may be one more.
	TTY string

	late  bool          // it was plugged, and its board's file does not have it
	doc   *tomlfile.Doc // the file in which it stands: the board's, unless it was plugged
	at    string        // where it stands there
	alias string        // in the device tree; empty for none
	// beside is where files are that its table names.
	beside func(name string) string
}

// controllerTable is what tables of all kinds have.
type controllerTable struct {
	Name      string         `toml:"name"`
	Unplugged bool           `toml:"unplugged,omitempty"`
	Values    map[string]any `toml:",rest"`
}

// What tables of some kinds have.
type (
	number struct {
		Number *int `toml:"number"`
	}
	chips struct {
		Chip []Chip `toml:"chip"`
	}
	device struct {
		Device string `toml:"device"`
	}
)

// maxNumber is the highest number that a controller can be given.
const maxNumber = 255

// readControllers decodes the tables of the catalog's kinds, in the catalog's order. The keys
// of the board file that are no such table are nobody's.
func (b *Board) readControllers(catalog *periph.Catalog) {
	for _, k := range catalog.Controllers {
		if k.Always != "" {
			b.drawn = append(b.drawn, &Controller{controllerTable: controllerTable{Name: k.Always}, Kind: k, Config: k.Config(), doc: b.doc, beside: b.Beside})
			continue
		}
		raw, ok := b.Tables[k.Table]
		if !ok {
			continue
		}
		var tables []controllerTable
		b.doc.Decode(k.Table, raw, &tables)
		for i := range tables {
			c := newController(k, tables[i], b.doc, b.Beside, i)
			c.Index = i
			b.drawn = append(b.drawn, c)
		}
	}
	b.byChips = busesFirst(b.drawn)
	known := slices.Clone(tomlfile.Fields(Board{}))
	for _, k := range catalog.Controllers {
		if k.Always == "" {
			known = append(known, k.Table)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.Tables)) {
		if _, ok := catalog.Controller(key); !ok {
			b.doc.Add(key, "unknown key %q%s", key, periph.Suggest(key, known))
		}
	}
}

// newController decodes a table of a kind, the one of that number in its file.
func newController(k *periph.ControllerKind, table controllerTable, doc *tomlfile.Doc, beside func(string) string, number int) *Controller {
	c := &Controller{controllerTable: table, Kind: k, Config: k.Config(), doc: doc, at: fmt.Sprintf("%s[%d]", k.Table, number), beside: beside}
	doc.DecodeAll(c.at, c.Values, c.keys()...)
	return c
}

// Late tells whether the controller was plugged and has no place of its own in the device tree.
func (c *Controller) Late() bool { return c.late }

// Controllers are the board's, also those that are unplugged.
func (b *Board) Controllers() []*Controller {
	if f := b.fitted(); f != nil {
		return f.controllers
	}
	return b.drawn
}

// controller finds one by its name.
func (b *Board) controller(name string) *Controller {
	for _, c := range b.Controllers() {
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

// keys are what the table's keys beside the name go into.
func (c *Controller) keys() []any {
	list := []any{c.Config}
	if c.Kind.Numbered {
		list = append(list, &c.number)
	}
	if c.Kind.Chips {
		list = append(list, &c.chips)
	}
	if c.Kind.Device != "" {
		list = append(list, &c.device)
	}
	if c.Kind.Interface {
		list = append(list, &c.Network)
	}
	return list
}

// controllers checks all, and gives those without a number the lowest free ones of their kind.
func (c *checker) controllers() {
	numbers := make(map[string]string) // alias: where it was given
	for _, x := range c.b.Controllers() {
		if x.Kind.Always != "" {
			c.parts[x.Name] = ""
		}
	}
	for _, x := range c.b.Controllers() {
		if x.Kind.Always != "" {
			continue
		}
		c.controller(x)
		if n := x.Number; n != nil && x.Kind.Numbered {
			first, taken := numbers[x.numbered()]
			switch {
			case *n < 0 || *n > maxNumber:
				c.doc.Add(x.at+".number", "number is %d; it must be 0 to %d", *n, maxNumber)
			case taken:
				c.doc.Add(x.at+".number", "the number %d is taken, in %s", *n, c.doc.Where(first))
			}
			numbers[x.numbered()] = x.at + ".number"
		}
	}
	next := make(map[*periph.ControllerKind]int)
	for _, x := range c.b.Controllers() {
		if x.Number != nil || !x.Kind.Numbered {
			continue
		}
		n := next[x.Kind]
		for x.Number = &n; numbers[x.numbered()] != ""; n++ {
		}
		next[x.Kind] = n + 1
	}
	for _, x := range c.b.Controllers() {
		if x.Kind.Numbered {
			x.alias = x.numbered()
		}
	}
	c.ttys()
	c.foreignDevices()
}

// controller checks what one says by itself.
func (c *checker) controller(x *Controller) {
	c.part(x.at, x.Name, x.Kind.Title)
	c.deviceName(x.at, x.Device)
	c.storage(x)
	c.folder(x)
	checkTable(x.Config.Check, c.report(x.at), x.Values, x.Config)
	c.controllerPins(x)
}

// controllerPins finds the lines of other controllers that a controller's pins are on.
func (c *checker) controllerPins(x *Controller) {
	config, ok := x.Config.(periph.PinsConfig)
	if !ok {
		return
	}
	x.Soldered = make(map[string]Line)
	lines := config.PinLines()
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		ref, err := c.b.Line(lines[key], "")
		if err == nil && c.b.names().providers[ref.Provider].model != nil {
			err = fmt.Errorf("%s is not a line of a GPIO controller", lines[key])
		}
		if err != nil {
			c.doc.Add(tomlfile.Join(x.at, key), "%v", err)
			continue
		}
		x.Soldered[key] = ref
	}
}

// numbered is the name in the device tree by which the kernel numbers the controller.
func (c *Controller) numbered() string { return fmt.Sprint(c.Kind.Table, *c.Number) }

// Alias is the name of the controller in the device tree by which the kernel, or firmware,
// knows its number; empty if it has none.
func (c *Controller) Alias() string { return c.alias }
