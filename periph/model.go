package periph

import (
	"io"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"backplane/simbus"
	"backplane/simbus/wire"
)

// PinSpec is a pin of a model that the board file can wire to a GPIO line.
type PinSpec struct {
	Name   string // "alert"
	Output bool   // the chip drives it (open-drain or push-pull); otherwise it only reads it
	// OpenDrain outputs may share a line.
	OpenDrain bool
	// PushPull, if set, tells whether an output is none of those, where options decide that.
	PushPull func(o *Options) bool
	Required bool // a board file that leaves it unconnected is wrong
	Doc      string
}

// Model is a kind of chip. A new one is a package under periph/chips that makes
// a Model, its line in the table there, and a test; nothing else changes.
type Model struct {
	Name     string   // as TOML has it: "tmp102"
	Title    string   // "TI TMP102 digital temperature sensor"
	Source   string   // data sheet and revision
	On       []*Mount // the buses that the part can hang on: one of them
	Provides []SocketSpec
	// Lines are the pins that the kernel has as the lines of a gpiochip, in its order:
	// the chip's node is then a GPIO and interrupt controller.
	Lines      []string
	Pins       []PinSpec
	Properties []Spec // what the outside can set and read while it runs
	Options    []Spec // what the board file fixes
	// Node describes the chip to the kernel. Nil: the chip has no device-tree
	// node, and only programs in the guest see it.
	Node func(o *Options) Node
	// Kernel lists the CONFIG_ symbols of the Linux driver that binds, and of the
	// subsystems that it depends on. Guest kernels are configured with them.
	Kernel []string
	// New builds one instance, soldered and without power: it drives no pin yet.
	New func(env *Env, o *Options) (Chip, error)
}

// SocketSpec is a place of a chip where others can be, such as a channel of a
// multiplexer. The chip is a [Provider] of it, and its node has a child for it.
type SocketSpec struct {
	Name string // "0"
	Bus  string // the kind of bus that it is: "i2c"
}

// Node is a chip's device-tree node, without its place, which the mount adds, and
// its interrupt, which the board adds. Properties hold string, []string, uint32, []uint32, []byte,
// bool (true: an empty property) or PinRef.
type Node struct {
	Name       string // generic name: "temperature-sensor", "eeprom", "rtc"
	Unit       string // unit address: the name's part after the @, empty for none
	Compatible []string
	Properties []NodeProperty
	Children   []Node
	// Socket names the socket of the chip that this node is; what is there has nodes below it.
	Socket string
	// Interrupt names the pin whose GPIO line is the node's interrupt, empty for none.
	Interrupt string
	// InterruptType is the IRQ_TYPE_* of dt-bindings/interrupt-controller/irq.h (8 is level low).
	InterruptType uint32
	// WakeupSource is for a part whose interrupt is to wake the board from sleep.
	WakeupSource bool
}

// Pins are the pins that the node, or one below it, says the lines of.
func (n *Node) Pins() (pins []string) {
	if n.Interrupt != "" {
		pins = append(pins, n.Interrupt)
	}
	for _, p := range n.Properties {
		if ref, ok := p.Value.(PinRef); ok {
			pins = append(pins, ref.Pin)
		}
	}
	for i := range n.Children {
		pins = append(pins, n.Children[i].Pins()...)
	}
	return pins
}

// NodeProperty is one property of a device-tree node.
type NodeProperty struct {
	Name  string
	Value any
}

// PinRef stands for the GPIO line that a pin is wired to: <&gpio line flags>.
type PinRef struct {
	Pin   string
	Flags uint32 // dt-bindings/gpio/gpio.h: 1 is active low
}

// Options are the values that a board file gave for one chip, checked and with
// defaults filled in.
type Options struct {
	Name   string           // of the chip: "temp0"
	Values map[string]Value // by name of the Spec: place, options and initial properties
	Wired  map[string]bool  // pins that are connected
}

// Get is the value of the option or initial property of that name.
func (o *Options) Get(name string) Value { return o.Values[name] }

// Env is what a controller or a chip gets from its board.
type Env struct {
	Name  string // of the controller or chip
	Board int    // the board's place in its appliance, counted from 0
	Index int    // of a controller: its place among those of its kind
	// Device is what the guest's kernel calls a controller in /dev, "ttyS1"; empty if that
	// is not known in advance.
	Device string
	Clock  simbus.Clock
	// Access is how long it takes the guest to reach a register of a controller. 0: no
	// time, or that which it takes by itself in real time.
	Access time.Duration
	// Epoch is the wall-clock time at Time 0.
	Epoch time.Time
	// Pin is the chip's pin of that name. An unconnected pin is soldered to a
	// wire of its own, so a chip needs no special case. Of a controller it is that of a key
	// of [PinsConfig].
	Pin func(name string) *wire.Pin
	// Changed tells the event stream that a property has a new value. Chips
	// call it for changes that come from inside (a relay that the guest switched).
	Changed func(property string, v Value)
	// Emit tells the event stream of something that happened just now. Observed tells
	// whether anybody listens: what is dear to say need not be said else.
	Emit     func(kind string, attrs ...simbus.Attr)
	Observed func() bool
	// Fault tells people and the event stream of what is wrong on the board, such as two
	// outputs in conflict.
	Fault func(text string)
	// ConfigChanged tells the guest that the controller's configuration space has changed.
	ConfigChanged func()
	// Rand is the chip's own source of chance, seeded from the run's seed and the chip's place.
	Rand *rand.Rand
	// Entropy is where the guest's own chance comes from: in real time from the host's.
	Entropy io.Reader
	// Post is nil in virtual time. In real time it calls f on the goroutine that drives
	// the board, for what is done on another one meanwhile.
	Post func(f func())
	// Path turns a file name from the board file into one that can be opened.
	Path func(name string) string
}

// Chip is one instance of a model. A chip on a bus is also what that
// bus takes, such as an i2c.Target.
// All its methods are called on the goroutine that drives its board.
type Chip interface {
	// Power of the chip: when it comes, the chip
	// is in its power-on state. When it goes, pins float, what drives them from
	// outside aside; of the chip only what is non-volatile stays, or has a battery
	// or no need of power, and a write under way is torn. What the outside has set,
	// such as a temperature, is the world's, and stays. Properties that follow
	// power are told by Env.Changed.
	Powered
	// Properties are those of the model's table. They work without power.
	Properties
	// Close ends the chip: what must outlive the run is on disk when it returns.
	Close() error
}

// Property is the spec of the property of that name.
func (m *Model) Property(name string) (*Spec, bool) { return find(m.Properties, name) }

// Socket is the chip's socket of that name.
func (m *Model) Socket(name string) (*SocketSpec, bool) {
	for i := range m.Provides {
		if m.Provides[i].Name == name {
			return &m.Provides[i], true
		}
	}
	return nil, false
}

// Pin is the index among Pins of the pin of that name, -1 if there is none.
func (m *Model) Pin(name string) int {
	return slices.IndexFunc(m.Pins, func(s PinSpec) bool { return s.Name == name })
}

// Option is the spec of the option of that name.
func (m *Model) Option(name string) (*Spec, bool) { return find(m.Options, name) }

func find(specs []Spec, name string) (*Spec, bool) {
	for i := range specs {
		if specs[i].Name == name {
			return &specs[i], true
		}
	}
	return nil, false
}

// Catalog is what boards and appliances can be made of: the kinds of controllers, of links
// between boards, and the models of chips.
type Catalog struct {
	Controllers []*ControllerKind
	Links       []*LinkKind
	Models      []*Model
	Makers      []*Maker
}

// Maker makes the models of parts that nobody has written one of, each from a table that a
// board file has of it.
type Maker struct {
	Name   string // what the board file has for a model: "registers"
	Title  string
	Source string // what a table says, and where that is described
	On     []string
}

// Controller finds a kind of controller by its table.
func (c *Catalog) Controller(table string) (*ControllerKind, bool) {
	for _, k := range c.Controllers {
		if k.Table == table && k.Always == "" {
			return k, true
		}
	}
	return nil, false
}

// Link finds a kind of link by its table.
func (c *Catalog) Link(table string) (*LinkKind, bool) {
	for _, k := range c.Links {
		if k.Table == table {
			return k, true
		}
	}
	return nil, false
}

// Lookup finds a model by name.
func (c *Catalog) Lookup(name string) (*Model, bool) {
	for _, m := range c.Models {
		if m.Name == name {
			return m, true
		}
	}
	return nil, false
}

// Names lists the models that can hang on that bus, sorted; all for "".
func (c *Catalog) Names(bus string) []string {
	var names []string
	for _, m := range c.Models {
		if _, ok := m.Mount(bus); ok || bus == "" {
			names = append(names, m.Name)
		}
	}
	sort.Strings(names)
	return names
}
