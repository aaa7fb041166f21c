package boards

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/gpio"
	"backplane/periph/i2c"
	"backplane/periph/regmap"
)

// lineRef is a line of a GPIO controller of the same board.
type lineRef struct {
	gpio int // index
	line int
}

// part is a chip whose description has been checked.
type part struct {
	*Chip
	model   *periph.Model
	options periph.Options
	pins    map[string]lineRef // by pin
}

// checker finds what is wrong with one board, and resolves its names.
type checker struct {
	b       *Board
	doc     *tomlfile.Doc
	catalog periph.Catalog
	set     map[string]any // of the appliance's; what a part takes is removed

	parts   map[string]string // names in use, and the paths where they were given
	devices map[string]string // device names in use
	drivers map[lineRef]driver
}

// driver is what drives a line.
type driver struct {
	who       string
	openDrain bool
}

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

const nameRule = "must be letters, digits, - and _, a letter first"

func (c *checker) check() {
	c.parts = map[string]string{"console": ""}
	c.devices = make(map[string]string)
	c.drivers = make(map[lineRef]driver)
	b, d := c.b, c.doc
	switch {
	case b.Name == "":
		d.Add("name", "the board has no name: say name = \"NAME\"")
	case !validName.MatchString(b.Name):
		d.Add("name", "name %q %s", b.Name, nameRule)
	}
	if b.CPUs < 1 || b.CPUs > MaxCPUs {
		d.Add("cpus", "cpus is %d, and must be 1 to %d, which is what a User Mode Linux kernel can have", b.CPUs, MaxCPUs)
	}
	if b.Memory < MinMemory || b.Memory > MaxMemory {
		d.Add("memory", "memory is %s, and must be %s to %s: the kernel and its init need that much", b.Memory, Size(MinMemory), Size(MaxMemory))
	}
	c.firmware()
	for i := range b.GPIO {
		g := &b.GPIO[i]
		at := fmt.Sprintf("gpio[%d]", i)
		c.part(at, g.Name, "GPIO controller")
		if err := gpio.CheckLines(g.Lines); err != nil {
			d.Add(at+".lines", "%s: %v", g.Name, err)
		}
	}
	c.i2c()
	for i := range b.GPIO {
		for j := range b.GPIO[i].Chip {
			c.chip(fmt.Sprintf("gpio[%d].chip[%d]", i, j), &b.GPIO[i].Chip[j], periph.OnGPIO, i)
		}
	}
	for i, s := range b.Serial {
		at := fmt.Sprintf("serial[%d]", i)
		c.part(at, s.Name, "serial port")
		c.device(at, s.Device)
		if s.Baud < 50 || s.Baud > 12_000_000 {
			d.Add(at+".baud", "baud is %d, and must be 50 to 12000000", s.Baud)
		}
	}
	for i, s := range b.Console {
		at := fmt.Sprintf("console[%d]", i)
		c.part(at, s.Name, "console")
		c.device(at, s.Device)
	}
	c.ethernet()
}

func (c *checker) firmware() {
	f := &c.b.Firmware
	for i, r := range f.Rootfs {
		c.exists(fmt.Sprintf("firmware.rootfs[%d]", i), r)
	}
	if f.KernelConfig != "" {
		c.exists("firmware.kernel_config", f.KernelConfig)
	}
	if f.Init != "" && !strings.HasPrefix(f.Init, "/") {
		c.doc.Add("firmware.init", "init is %q, and must be a full path inside the guest, such as \"/sbin/init\"", f.Init)
	}
	if f.Init == "" && (f.Handover || len(f.Args) > 0) {
		c.doc.Add("firmware", "there is no init that handover or init_args could mean: say init = \"/sbin/init\"")
	}
	if strings.ContainsAny(f.KernelArgs, "\n\x00") {
		c.doc.Add("firmware.args", "args must be one line")
	}
}

func (c *checker) exists(at, name string) {
	if _, err := os.Stat(c.b.path(name)); err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			err = perr.Err
		}
		c.doc.Add(at, "%s: %v", c.b.path(name), err)
	}
}

// part takes a name on the board.
func (c *checker) part(at, name, what string) {
	switch first, taken := c.parts[name]; {
	case name == "":
		c.doc.Add(at, "a %s without a name: say name = \"NAME\"", what)
		return
	case !validName.MatchString(name):
		c.doc.Add(at+".name", "name %q %s", name, nameRule)
	case name == "console":
		c.doc.Add(at+".name", "the name \"console\" is taken by the board's main console")
	case taken:
		c.doc.Add(at+".name", "the name %q is taken, in %s: each part of a board needs its own", name, c.doc.Where(first))
	}
	if _, taken := c.parts[name]; !taken {
		c.parts[name] = at + ".name"
	}
}

var validDevice = regexp.MustCompile(`^/dev/[A-Za-z][A-Za-z0-9_]{0,30}$`)

func (c *checker) device(at, name string) {
	if name == "" {
		return
	}
	at += ".device"
	if !validDevice.MatchString(name) {
		c.doc.Add(at, "device is %q, and must be a name in /dev, such as \"/dev/ttyS1\"", name)
	}
	if first, taken := c.devices[name]; taken {
		c.doc.Add(at, "the device %s is taken, in %s", name, c.doc.Where(first))
		return
	}
	c.devices[name] = at
}

func (c *checker) i2c() {
	numbers := make(map[int]string)
	for i := range c.b.I2C {
		bus := &c.b.I2C[i]
		at := fmt.Sprintf("i2c[%d]", i)
		c.part(at, bus.Name, "I2C controller")
		if n := bus.Number; n != nil {
			first, taken := numbers[*n]
			switch {
			case *n < 0 || *n > 255:
				c.doc.Add(at+".number", "number is %d, and must be 0 to 255", *n)
			case taken:
				c.doc.Add(at+".number", "the bus number %d is taken, in %s", *n, c.doc.Where(first))
			}
			numbers[*n] = at + ".number"
		}
		if bus.Frequency < 0 || bus.Frequency > 5_000_000 {
			c.doc.Add(at+".frequency", "frequency is %d Hz, and must be 0 to 5000000", bus.Frequency)
		}
		used := make(map[int]string)
		for j := range bus.Chip {
			ch := &bus.Chip[j]
			at := fmt.Sprintf("i2c[%d].chip[%d]", i, j)
			c.chip(at, ch, periph.OnI2C, -1)
			if ch.Address == nil {
				continue
			}
			if first, taken := used[*ch.Address]; taken {
				c.doc.Add(at+".address", "address %#02x on %s is taken, in %s", *ch.Address, bus.Name, c.doc.Where(first))
			} else {
				used[*ch.Address] = at + ".address"
			}
		}
	}
	c.numberBuses(numbers)
}

// numberBuses gives the buses without a number the lowest free ones.
func (c *checker) numberBuses(taken map[int]string) {
	next := 0
	for i := range c.b.I2C {
		if bus := &c.b.I2C[i]; bus.Number == nil {
			for taken[next] != "" {
				next++
			}
			n := next
			bus.Number = &n
			next++
		}
	}
}

// chip checks one chip and resolves its model, options and pins.
func (c *checker) chip(at string, ch *Chip, bus periph.Bus, on int) {
	c.part(at, ch.Name, "part")
	p := &part{Chip: ch, pins: make(map[string]lineRef)}
	ch.part = p
	if p.model = c.model(at, ch, bus); p.model == nil {
		return
	}
	c.address(at, ch, p.model, bus)
	p.options = periph.Options{Name: ch.Name, Values: make(map[string]periph.Value), Wired: make(map[string]bool)}
	if ch.Address != nil {
		p.options.Address = uint8(*ch.Address)
	}
	c.values(at, p)
	c.pins(at, p, on)
}

func (c *checker) model(at string, ch *Chip, bus periph.Bus) *periph.Model {
	d := c.doc
	if ch.Model == regmap.Name {
		if bus != periph.OnI2C {
			d.Add(at+".model", "a part with model %q hangs on an I2C bus", regmap.Name)
			return nil
		}
		if ch.Registers == nil {
			d.Add(at, "a part with model %q needs its register map in [i2c.chip.registers]", regmap.Name)
			return nil
		}
		problems := ch.Registers.Check()
		for _, p := range problems {
			path := at + ".registers"
			for _, k := range p.Key {
				if _, err := strconv.Atoi(k); err == nil {
					path += "[" + k + "]"
				} else {
					path += "." + k
				}
			}
			d.Add(path, "%s", p.Text)
		}
		if len(problems) > 0 {
			return nil
		}
		m, err := regmap.Model(ch.Registers)
		if err != nil {
			d.Add(at+".registers", "%v", err)
			return nil
		}
		return m
	}
	if ch.Registers != nil {
		d.Add(at+".registers", "only a part with model %q has a register map", regmap.Name)
	}
	m, ok := c.catalog.Lookup(ch.Model)
	switch {
	case ch.Model == "":
		d.Add(at, "part %q has no model: 'backplane parts' lists them", ch.Name)
		return nil
	case !ok:
		names := c.catalog.Names(bus)
		if bus == periph.OnI2C {
			names = append(names, regmap.Name)
		}
		d.Add(at+".model", "unknown model %q%s", ch.Model, tomlfile.Suggest(ch.Model, names))
		return nil
	case m.Bus != bus:
		d.Add(at+".model", "a %s hangs on %s, not on %s", m.Name, m.Bus, bus)
		return nil
	}
	return m
}

func (c *checker) address(at string, ch *Chip, m *periph.Model, bus periph.Bus) {
	d := c.doc
	switch a := ch.Address; {
	case bus != periph.OnI2C:
		if a != nil {
			d.Add(at+".address", "a %s has no address", m.Name)
		}
	case a == nil:
		d.Add(at, "part %q has no address%s", ch.Name, possible(m))
	case *a < i2c.MinAddress || *a > i2c.MaxAddress:
		d.Add(at+".address", "address %#02x is reserved, and must be %#02x to %#02x", *a, i2c.MinAddress, i2c.MaxAddress)
	case !strapped(m, uint8(*a)):
		d.Add(at+".address", "a %s cannot have the address %#02x%s", m.Name, *a, possible(m))
	}
}

func strapped(m *periph.Model, a uint8) bool {
	for _, possible := range m.Addresses {
		if a == possible {
			return true
		}
	}
	return len(m.Addresses) == 0
}

func possible(m *periph.Model) string {
	switch n := len(m.Addresses); n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(": it must be %#02x", m.Addresses[0])
	default:
		return fmt.Sprintf(": it must be one of %#02x to %#02x", m.Addresses[0], m.Addresses[n-1])
	}
}

// values checks the options and initial properties that stand beside the fixed keys.
func (c *checker) values(at string, p *part) {
	for _, specs := range [][]periph.Spec{p.model.Options, p.model.Properties} {
		for i := range specs {
			p.options.Values[specs[i].Name] = specs[i].Default
		}
	}
	take := func(key string, raw any, complain func(format string, args ...any)) {
		spec, isOption := p.model.Option(key)
		if !isOption {
			var ok bool
			if spec, ok = p.model.Property(key); !ok {
				complain("unknown key %q of a %s%s", key, p.model.Name, tomlfile.Suggest(key, c.chipKeys(p.model)))
				return
			}
			if spec.ReadOnly || spec.Kind == periph.Action {
				complain("%s of a %s cannot be set in a board file", key, p.model.Name)
				return
			}
		}
		v, err := fromTOML(spec, raw)
		if err != nil {
			complain("%v", err)
			return
		}
		p.options.Values[key] = v
	}
	for key, raw := range p.Values {
		take(key, raw, func(format string, args ...any) { c.doc.Add(at+"."+key, format, args...) })
	}
	c.overrides(p, take)
}

// overrides takes the values that the appliance gives this instance.
func (c *checker) overrides(p *part, take func(string, any, func(string, ...any))) {
	for key, raw := range c.set {
		name, property, _ := strings.Cut(key, ".")
		if name != p.Name {
			continue
		}
		ok := true
		take(property, raw, func(string, ...any) { ok = false })
		if ok {
			delete(c.set, key)
		}
	}
}

func (c *checker) chipKeys(m *periph.Model) []string {
	keys := []string{"name", "model", "pins"}
	if m.Bus == periph.OnI2C {
		keys = append(keys, "address")
	}
	for _, s := range m.Options {
		keys = append(keys, s.Name)
	}
	for _, s := range m.Properties {
		if !s.ReadOnly && s.Kind != periph.Action {
			keys = append(keys, s.Name)
		}
	}
	return keys
}

// fromTOML turns a value of a file into a spec's.
func fromTOML(s *periph.Spec, raw any) (periph.Value, error) {
	var v periph.Value
	switch x := raw.(type) {
	case int64:
		v = periph.Num(float64(x))
	case float64:
		v = periph.Num(x)
	case bool:
		v = periph.On(x)
	case string:
		v = periph.Str(x)
	}
	ok := false
	switch raw.(type) {
	case int64, float64:
		ok = s.Kind == periph.Number || s.Kind == periph.Whole
	case bool:
		ok = s.Kind == periph.Switch
	case string:
		ok = s.Kind == periph.Text
	}
	if !ok {
		return v, fmt.Errorf("%s must be a %s", s.Name, s.Kind)
	}
	return v, s.Check(v)
}

// pins resolves which lines a chip's pins are soldered to.
func (c *checker) pins(at string, p *part, on int) {
	for _, name := range slices.Sorted(maps.Keys(p.Pins)) {
		at := at + ".pins." + name
		spec, ok := pin(p.model, name)
		if !ok {
			var names []string
			for _, s := range p.model.Pins {
				names = append(names, s.Name)
			}
			c.doc.Add(at, "a %s has no pin %q%s", p.model.Name, name, tomlfile.Suggest(name, names))
			continue
		}
		ref, err := c.b.line(p.Pins[name], on)
		if err != nil {
			c.doc.Add(at, "pin %s: %v", name, err)
			continue
		}
		p.pins[name] = ref
		p.options.Wired[name] = true
		if !spec.Output {
			continue
		}
		who := p.Name + "." + name
		if other, driven := c.drivers[ref]; driven && !(other.openDrain && spec.OpenDrain) {
			c.doc.Add(at, "%s drives a line that %s drives already: two outputs on one line must both be open-drain", who, other.who)
		}
		c.drivers[ref] = driver{who, spec.OpenDrain}
	}
	for _, spec := range p.model.Pins {
		if _, ok := p.Pins[spec.Name]; spec.Required && !ok && len(p.Pins) == 0 {
			c.doc.Add(at, "pin %q of part %q is not connected: say pins = { %s = \"LINE\" }", spec.Name, p.Name, spec.Name)
		}
	}
}

func pin(m *periph.Model, name string) (*periph.PinSpec, bool) {
	for i := range m.Pins {
		if m.Pins[i].Name == name {
			return &m.Pins[i], true
		}
	}
	return nil, false
}

// line finds a line: "gpio0.alarm", "gpio0.3", or without the controller where on >= 0.
func (b *Board) line(text string, on int) (lineRef, error) {
	name := text
	if controller, rest, ok := strings.Cut(text, "."); ok {
		on, name = -1, rest
		var names []string
		for i := range b.GPIO {
			names = append(names, b.GPIO[i].Name)
			if b.GPIO[i].Name == controller {
				on = i
			}
		}
		if on < 0 {
			return lineRef{}, fmt.Errorf("the board has no GPIO controller %q%s", controller, tomlfile.Suggest(controller, names))
		}
	}
	if on < 0 {
		return lineRef{}, fmt.Errorf("%q is no line: write controller.line, such as \"gpio0.3\"", text)
	}
	g := &b.GPIO[on]
	for i, l := range g.Lines {
		if l == name && l != "" {
			return lineRef{on, i}, nil
		}
	}
	if i, err := strconv.Atoi(name); err == nil {
		if i < 0 || i >= len(g.Lines) {
			return lineRef{}, fmt.Errorf("%s has no line %d: its lines are 0 to %d", g.Name, i, len(g.Lines)-1)
		}
		return lineRef{on, i}, nil
	}
	var named []string
	for _, l := range g.Lines {
		if l != "" {
			named = append(named, l)
		}
	}
	return lineRef{}, fmt.Errorf("%s has no line %q%s", g.Name, name, tomlfile.Suggest(name, named))
}

func (c *checker) ethernet() {
	macs := make(map[string]string)
	for i := range c.b.Ethernet {
		e := &c.b.Ethernet[i]
		at := fmt.Sprintf("ethernet[%d]", i)
		c.part(at, e.Name, "Ethernet port")
		if len(e.Name) > 15 {
			c.doc.Add(at+".name", "name %q is too long for an interface, which may have 15 letters", e.Name)
		}
		if e.MAC != "" {
			mac, err := net.ParseMAC(e.MAC)
			switch {
			case err != nil || len(mac) != 6:
				c.doc.Add(at+".mac", "mac is %q, and must be six bytes, such as \"02:00:00:00:00:01\"", e.MAC)
			case mac[0]&1 != 0:
				c.doc.Add(at+".mac", "mac %s is a group address: the first byte must be even", e.MAC)
			case macs[mac.String()] != "":
				c.doc.Add(at+".mac", "the mac %s is taken, in %s", e.MAC, c.doc.Where(macs[mac.String()]))
			default:
				macs[mac.String()] = at + ".mac"
			}
		}
		if e.Address != "" && e.Address != DHCPAddress {
			if _, err := netip.ParsePrefix(e.Address); err != nil {
				c.doc.Add(at+".address", "address is %q, and must be an IP address with its prefix length, such as \"10.0.0.1/24\", or \"dhcp\"", e.Address)
			}
		}
		c.routes(at, e)
	}
}

// routes checks what init tells the kernel of the way out.
func (c *checker) routes(at string, e *Ethernet) {
	p, _ := netip.ParsePrefix(e.Address)
	if e.Gateway != "" {
		a, err := netip.ParseAddr(e.Gateway)
		switch {
		case err != nil || !a.Is4():
			c.doc.Add(at+".gateway", "gateway is %q, and must be an IPv4 address, such as \"10.0.0.254\"", e.Gateway)
		case e.Address == DHCPAddress:
			c.doc.Add(at+".gateway", "an address by DHCP brings its gateway along: leave one of them out")
		case !p.Contains(a):
			c.doc.Add(at+".gateway", "gateway %s is not on the port's network: say address = \"ADDRESS/LENGTH\" so that it is", e.Gateway)
		}
	}
	for i, text := range e.DNS {
		if _, err := netip.ParseAddr(text); err != nil {
			c.doc.Add(fmt.Sprintf("%s.dns[%d]", at, i), "%q is no IP address of a name server", text)
		}
	}
}
