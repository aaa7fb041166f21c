package periph

// Mount is a way to hang a chip on a bus: I2C at one of some addresses, lines of a GPIO
// controller. The package of the bus makes it ([i2c.At], [gpio.Pins]), and nobody else
// knows what a place on such a bus is.
type Mount struct {
	// Bus is the bus's kind, which is the table of its controllers: "i2c".
	Bus string
	// Keys are what a board file says of a chip's place, beside its options: "address".
	Keys []Spec
	// Node completes a chip's device-tree node, whose place is in the options.
	Node func(n *Node, o *Options)
	// Attach joins a chip to a bus, which is of the bus's own type, until detach is
	// called. Nil: the chip's pins are all that it has, and its device-tree node stands
	// at the root.
	Attach func(bus any, o *Options, c Chip) (detach func(), err error)
}

// Key is the key of that name of a place on the bus.
func (m *Mount) Key(name string) (*Spec, bool) { return find(m.Keys, name) }

// Mount is the way to hang the model's chips on a kind of bus.
func (m *Model) Mount(bus string) (*Mount, bool) {
	for _, mount := range m.On {
		if mount.Bus == bus {
			return mount, true
		}
	}
	return nil, false
}

// Buses are the kinds of buses that the model's chips can hang on.
func (m *Model) Buses() []string {
	var names []string
	for _, mount := range m.On {
		names = append(names, mount.Bus)
	}
	return names
}
