package boards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/guest"
	"backplane/guest/emulator"
	"backplane/guest/rootfs"
	"backplane/periph"
	"backplane/simbus/hostfile"
)

// Line is a line of a GPIO controller of the same board, or a part's pin that is on no
// such line: what is soldered to that is joined to it.
type Line struct {
	Provider string // the controller or part
	Offset   int    // of the controller's lines, or of the pins of the part's model
}

// Part is a chip whose description has been checked.
type Part struct {
	*Chip
	doc      *tomlfile.Doc // the file in which it stands: the board's, unless it was plugged
	at       string        // where it stands there
	beside   func(name string) string
	Model    *periph.Model
	Provider string        // what it is on: a controller, or another part
	Socket   string        // of that part
	Mount    *periph.Mount // and how
	Options  periph.Options
	Soldered map[string]Line // by pin
}

// checker finds what is wrong with one board, and resolves its names.
type checker struct {
	b       *Board
	doc     *tomlfile.Doc
	catalog *periph.Catalog
	paths   *tomlfile.Paths     // which those that it finds are added to
	set     map[string]any      // of the appliance's; what a part takes is removed
	setOf   map[string][]string // its keys, by the part that they name

	parts   map[string]string // names in use, and where they were given, for messages; "" for what every board has
	devices map[string]string // device names in use
	drivers map[Line]driver
	absent  map[string]bool // parts that are unplugged, where others may take their places
}

// driver is what drives a line.
type driver struct {
	who       string
	openDrain bool
}

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

const nameRule = "must be at most 63 letters, digits, - and _, a letter first"

func (c *checker) check() {
	c.parts, c.setOf = make(map[string]string), make(map[string][]string)
	for key := range c.set {
		name, _, _ := strings.Cut(key, ".")
		c.setOf[name] = append(c.setOf[name], key)
	}
	c.devices = make(map[string]string)
	c.drivers = make(map[Line]driver)
	b, d := c.b, c.doc
	switch {
	case b.Name == "":
		d.Add("name", "the board has no name: write name = \"NAME\"")
	case !validName.MatchString(b.Name):
		d.Add("name", "name %q %s", b.Name, nameRule)
	}
	if b.CPUs < 1 || b.CPUs > MaxCPUs {
		d.Add("cpus", "cpus is %d; it must be 1 to %d: a User Mode Linux kernel has no more", b.CPUs, MaxCPUs)
	}
	c.topology()
	switch least := MinMemory + Size(b.CPUs)*cpuMemory; {
	case b.Memory < MinMemory || b.Memory > MaxMemory:
		d.Add("memory", "memory is %s; it must be %s to %s: the kernel and its init need that much", b.Memory, Size(MinMemory), Size(MaxMemory))
	case b.CPUs > 1 && b.CPUs <= MaxCPUs && b.Memory < least:
		at := "memory"
		if !d.Has(at) {
			at = "cpus"
		}
		d.Add(at, "memory is %s; with %d CPUs it must be %s at least: the kernel needs %s for each", b.Memory, b.CPUs, least, Size(cpuMemory))
	}
	if b.Spares < 0 || b.Spares > MaxSpares {
		d.Add("spares", "spares is %d; it must be 0 to %d", b.Spares, MaxSpares)
	}
	if b.Backing != "" && b.Backing != guest.RAM && b.Backing != guest.File {
		d.Add("backing", "backing is %q; it must be %q or %q", b.Backing, guest.RAM, guest.File)
	}
	c.timing()
	c.firmware()
	c.controllers()
	c.rootDisks()
	for _, x := range b.byChips {
		for i := range x.Chip {
			c.nested(fmt.Sprintf("%s.chip[%d]", x.at, i), &x.Chip[i], x.socket())
		}
	}
	c.placed()
	c.places()
	c.described()
	c.interfaces()
}

func (c *checker) firmware() {
	f := &c.b.Firmware
	for i, r := range f.Rootfs {
		c.layer(fmt.Sprintf("firmware.rootfs[%d]", i), r, c.b.Beside(r))
	}
	c.mountPoints(f.Rootfs)
	c.kernel()
	if known := emulator.Names(); f.Arch != "" && !slices.Contains(known, f.Arch) {
		c.doc.Add("firmware.arch", "%q is no architecture of a board's programs%s", f.Arch, periph.Suggest(f.Arch, known))
	}
	if f.Init != "" && !strings.HasPrefix(f.Init, "/") {
		c.doc.Add("firmware.init", "init is %q; it must be a full path inside the guest, such as \"/sbin/init\"", f.Init)
	}
	if f.Shutdown < 0 {
		c.doc.Add("firmware.shutdown", "shutdown is negative")
	}
	if f.Init == "" && (f.Handover || len(f.Args) > 0) {
		c.doc.Add("firmware", "handover and init_args need an init: write init = \"/sbin/init\"")
	}
	if strings.ContainsAny(f.KernelArgs, "\n\x00") {
		c.doc.Add("firmware.args", "args must be one line")
	}
}

// layer checks that a layer of a root file system is there and can be one.
func (c *checker) layer(at, name, path string) {
	err := c.paths.Add(c.doc, at, name, path)
	if err == nil {
		err = rootfs.CheckLayer(path)
	}
	if err != nil {
		c.doc.Add(at, "%s: %v", path, hostfile.Cause(err))
	}
}

// part takes a name on the board.
func (c *checker) part(at, name, what string) {
	switch first, taken := c.parts[name]; {
	case name == "":
		c.doc.Add(at+".name", "the %s has no name: write name = \"NAME\"", what)
		return
	case !validName.MatchString(name):
		c.doc.Add(at+".name", "name %q %s", name, nameRule)
	case taken && first == "":
		c.doc.Add(at+".name", "the name %q is taken by the board's %s", name, c.always(name))
	case taken:
		c.doc.Add(at+".name", "the name %q is taken, in %s: each part of a board needs its own", name, first)
	}
	if _, taken := c.parts[name]; !taken {
		c.parts[name] = c.doc.Where(at + ".name")
	}
}

// always is what is called by a name that every board has.
func (c *checker) always(name string) string {
	for _, x := range c.b.Controllers() {
		if x.Kind.Always == name {
			return x.Kind.Title
		}
	}
	return ""
}
