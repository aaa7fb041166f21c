package periph

import (
	"os"
	"regexp"

	"backplane/firmware/config"
	"backplane/periph/block/image"
	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// ControllerKind is a kind of controller that a board file can name: the package of the
// controller has one, and the catalog lists it.
type ControllerKind struct {
	// Table is the board file's: "i2c" for [[i2c]]. If the controller takes chips, it is
	// the kind of its bus as well.
	Table string
	// Always is instead the name of the one that every board has, of a kind without a table.
	Always string
	Title  string         // "I2C controller"
	Source string         // specification and driver
	Kernel []string       // CONFIG_ symbols of the Linux driver that binds, and of what programs reach it by
	Events []*simbus.Kind // that such controllers emit
	// Chips tells whether chips hang on it.
	Chips bool
	// Numbered tells whether the kernel numbers it by the alias Table0, Table1 and so on:
	// the board file may say which number it has.
	Numbered bool
	// Terminal tells whether people type at its other end: it is a [Terminal].
	Terminal bool
	// Device is what its driver calls it in /dev, without the number that it counts such
	// controllers by: "hvc". The board file may give it another name there.
	Device string
	// Renamed tells whether its driver can be told another name of that form, such as
	// "ttymxc1", by the device's node: see [Env].
	Renamed bool
	// Nodes matches the other names that its driver has in /dev, such as "/dev/vda": the board
	// file can give no such name to another controller.
	Nodes *regexp.Regexp
	// Interface tells whether the kernel has it as a network interface, which init gives
	// addresses: the board file says which.
	Interface bool
	// Properties are what the outside can set and read while it runs: it then has
	// [Properties].
	Properties []Spec
	// Turns is how ports of such controllers, or lines of such controllers and of parts, take turns
	// on a link, at first with none there. Nil: they cannot.
	Turns func(clock simbus.Clock) Turns
	// Config is an empty table, with what holds if a key is left out: a pointer to a
	// struct with toml and jsonschema tags. A controller's name, number and chips are
	// not in it.
	Config func() ControllerConfig
}

// ControllerConfig is one table of a kind.
type ControllerConfig interface {
	// Check reports what is wrong, by the keys of the table.
	Check(report Report)
	// Build makes the controller, whole, and without power.
	Build(env *Env) (Controller, error)
}

// Report takes what is wrong with a key of a table; "" is the table itself.
type Report func(key, format string, args ...any)

// LinesConfig is the table of a controller with GPIO lines, which is then one that has
// [Lines].
type LinesConfig interface {
	// LineNames are the names of the lines, in order; one without a name has "".
	LineNames() []string
}

// StorageConfig is the table of a controller that is a [Storage].
type StorageConfig interface {
	// Medium is where the contents are.
	Medium() image.Medium
}

// Storage is a controller whose contents are in files of the host. It gets them before it
// has power, and closes them at its end.
type Storage interface {
	// Insert gives it its contents. If they are durable the host keeps them.
	Insert(contents *image.Overlay, durable bool)
	// Close ends the controller: what must outlive the run is on disk when it returns.
	Close() error
}

// FolderConfig is the table of a controller that is a [Folder].
type FolderConfig interface {
	// Folder is the folder of the host, and whether the guest may change what is in it.
	Folder() (name string, writable bool)
	// Mount is what init mounts of the controller that has this name.
	Mount(name string) config.Mount
}

// Folder is a controller that shows its guest a folder of the host. It gets it before it has
// power, and closes it at its end.
type Folder interface {
	Show(root *os.Root)
	// Close ends the controller.
	Close() error
}

// PinsConfig is the table of a controller with pins that are soldered to GPIO lines of other
// controllers: [Env.Pin] has them when it is built.
type PinsConfig interface {
	// PinLines are those lines ("gpio0.de"), by the keys of the table.
	PinLines() map[string]string
}

// Reclaimer is a controller that takes memory from its guest, and gives it back.
type Reclaimer interface {
	// Reclaim says how many bytes of memory the guest is to do without. That takes a while.
	Reclaim(bytes int64) error
	// Reclaimed is how many it does without now. A guest may say anything.
	Reclaimed() int64
	// OnReclaimed has f called when the guest does without enough, or could do without no
	// more: it then has some back, and is asked for no more. It is called once.
	OnReclaimed(f func(enough bool))
	// Reset is for a kernel that starts: it has all memory.
	Reset()
}

// Controller is what a guest's kernel sees: one virtio device, with what hangs on it.
// Power that goes ends what is under way in it: it is stopped. What else it is, it is
// asked by type assertion: [Described], [Provider], [Lines],
// [Terminal], [Powered], [Properties], [Storage], [Folder], [Reclaimer].
type Controller interface {
	virtio.Device
}

// Described is a controller of which the kernel has to know something beside the device.
type Described interface {
	// Node is that, without name and "compatible".
	Node() Node
}

// Lines are the GPIO lines of a controller, which the kernel knows by the same numbers.
type Lines interface {
	// Line is the wire of line i, counted from 0. Chips solder their pins to it.
	Line(i int) *wire.Wire
	// Missed is how many edges of line i the guest was not told of one by one.
	Missed(i int) uint64
}

// Terminal is a controller with a terminal at its other end: a console or a serial port.
type Terminal interface {
	// Output lets f have what the guest writes when it comes out. It is called once. What
	// f is given is its own only until it returns.
	Output(f func(p []byte))
	// Input is what is typed. If there is no room for all of it, the error says so.
	Input(p []byte) error
	// Room is how many bytes Input takes.
	Room() int
}

// Powered has a supply of power, which is off at first.
type Powered interface {
	// Power switches it. Each call changes it.
	Power(on bool)
}

// Provider has places where something else can be joined.
type Provider interface {
	// Socket is one of those: the bus of a controller has no name. It is nil if there is
	// none of that name.
	Socket(name string) any
}
