package regmap

import "cmp"

// Name is the model that says that a part is described in the board file.
const Name = "registers"

// Map is the description of a part.
type Map struct {
	// AddressWidth is the number of bits, 8 or 16, of a register address on the bus.
	AddressWidth int `toml:"address_width,omitempty" jsonschema:"enum=8,enum=16,default=8,description=Bits of a register address on the bus"`
	// ByteOrder is that of registers of more than a byte, "big" or "little".
	ByteOrder string `toml:"byte_order,omitempty" jsonschema:"enum=big,enum=little,default=big,description=Which byte of a register goes over the bus first: the most significant one (big) or the least (little)"`
	// Addressing is what an address counts. "registers": a register has one
	// address whatever its width, and sequential access goes on with the
	// register that has the next higher address. "bytes": a register has as many
	// addresses as bytes, and sequential access goes on with the next byte.
	Addressing string `toml:"addressing,omitempty" jsonschema:"enum=registers,enum=bytes,default=registers,description=What an address counts: a register has one address or as many as bytes"`
	// AutoIncrement, unless it is false, makes sequential access go on; without
	// it the same register (or byte) comes again.
	AutoIncrement *bool `toml:"auto_increment,omitempty" jsonschema:"default=true,description=Whether sequential access goes on to the next register"`

	// Compatible gives the part a device-tree node, to which a driver binds.
	// Without it only programs in the guest see the part.
	Compatible []string `toml:"compatible,omitempty" jsonschema:"description=Device-tree names of the part for the kernel's driver; without one it has no device-tree node"`
	// Node is the generic name of that node.
	Node string `toml:"node,omitempty" jsonschema:"default=device,description=Generic name of the device-tree node such as temperature-sensor"`
	// Interrupt is the pin whose GPIO line is the node's interrupt, level-triggered.
	Interrupt string `toml:"interrupt,omitempty" jsonschema:"description=Pin that is the interrupt of the device-tree node"`

	Register  []Register  `toml:"register" jsonschema:"description=What the guest reads and writes"`
	Property  []Property  `toml:"property,omitempty" jsonschema:"description=Fields of registers in physical units"`
	Threshold []Threshold `toml:"threshold,omitempty" jsonschema:"description=Pins that follow a property"`
}

// Register is what the guest reads and writes under one address.
type Register struct {
	Name    string `toml:"name" jsonschema:"description=Name for properties and thresholds"`
	Address int    `toml:"address" jsonschema:"minimum=0,maximum=65535,description=Address on the bus; of its first byte if addresses count bytes"`
	// Width is 8, 16, 24 or 32 bits; 8 if left out.
	Width int `toml:"width,omitempty" jsonschema:"enum=8,enum=16,enum=24,enum=32,default=8,description=Bits"`
	// ByteOrder is the map's if left out.
	ByteOrder string `toml:"byte_order,omitempty" jsonschema:"enum=big,enum=little,description=Default: the map's"`
	// Reset is the content at power-on.
	Reset uint32 `toml:"reset,omitempty" jsonschema:"default=0,description=Content at power-on"`
	// Access is what the guest may do: "rw" read and write (the default); "ro"
	// read, and writes do nothing; "wo" write, and it reads as 0; "w1c" read, and
	// each 1 that is written clears its bit; "rc" read, which clears it, and
	// writes do nothing.
	Access string `toml:"access,omitempty" jsonschema:"enum=rw,enum=ro,enum=wo,enum=w1c,enum=rc,default=rw,description=What the guest may do: rw; ro; wo reads as 0; w1c writing a 1 clears the bit; rc reading clears it"`
}

// Property is a field of a register, in physical units: value = raw * scale +
// offset. The register holds it, so that a value which is set is rounded to
// what the field can hold.
type Property struct {
	Name     string `toml:"name" jsonschema:"pattern=^[a-z][a-z0-9_]*$,description=Name in scenarios; also the key of its initial value in the board file"`
	Doc      string `toml:"doc,omitempty" jsonschema:"description=One line for people"`
	Unit     string `toml:"unit,omitempty" jsonschema:"description=Unit such as °C or V"`
	Register string `toml:"register" jsonschema:"description=Name of the register"`
	// Bits are the highest and the lowest bit, or the only one; the whole
	// register if left out.
	Bits   string `toml:"bits,omitempty" jsonschema:"pattern=^[0-9]+(:[0-9]+)?$,description=Highest and lowest bit such as 11:4; default: the whole register"`
	Signed bool   `toml:"signed,omitempty" jsonschema:"default=false,description=Two's complement"`
	// Scale is what one count is worth; 1 if left out or 0.
	Scale  float64 `toml:"scale,omitempty" jsonschema:"default=1,description=Value of one count"`
	Offset float64 `toml:"offset,omitempty" jsonschema:"default=0,description=Value of a count of 0"`
	// Min and Max are what may be set, within what the field can hold.
	Min *float64 `toml:"min,omitempty" jsonschema:"description=Least value; default: the least that the field can hold"`
	Max *float64 `toml:"max,omitempty" jsonschema:"description=Greatest value; default: the greatest that the field can hold"`
	// Default is the value at power-on; what the register's Reset makes if left out.
	Default *float64 `toml:"default,omitempty" jsonschema:"description=Value at power-on; default: from the register's reset"`
	// ReadOnly is for what the guest sets and the outside only reads.
	ReadOnly bool `toml:"read_only,omitempty" jsonschema:"default=false,description=The outside cannot set it"`
}

// Threshold makes a pin active while a property is above or below a limit, each
// a value or the content of a register in the format of the property's field.
// Thresholds that share a pin make it active together.
type Threshold struct {
	Pin           string   `toml:"pin" jsonschema:"pattern=^[a-z][a-z0-9_]*$,description=Name of the pin that it drives"`
	Property      string   `toml:"property" jsonschema:"description=Name of the property that it watches"`
	Above         *float64 `toml:"above,omitempty" jsonschema:"description=Active while the property is above this"`
	Below         *float64 `toml:"below,omitempty" jsonschema:"description=Active while the property is below this"`
	AboveRegister string   `toml:"above_register,omitempty" jsonschema:"description=Active while the property is above the value of this register in the format of the property"`
	BelowRegister string   `toml:"below_register,omitempty" jsonschema:"description=Active while the property is below the value of this register in the format of the property"`
	// Hysteresis is how far, in the property's unit, it must come back inside a limit.
	Hysteresis float64 `toml:"hysteresis,omitempty" jsonschema:"minimum=0,default=0,description=How far the property must come back inside the limit before the pin is released"`
	// ActiveLow and OpenDrain are the same for all thresholds of a pin. An
	// open-drain pin comes with the resistor that pulls its line up.
	ActiveLow bool `toml:"active_low,omitempty" jsonschema:"default=false,description=Low while active"`
	OpenDrain bool `toml:"open_drain,omitempty" jsonschema:"default=false,description=Pulls up instead of driving high; such pins can share a line"`
	// Latch keeps the pin active until the guest reads the property's register.
	Latch bool `toml:"latch,omitempty" jsonschema:"default=false,description=Stays active until the guest reads the register of the property"`
}

// The words of Access, ByteOrder and Addressing. The first is what an empty one means.
const (
	readWrite     = "rw"
	readOnly      = "ro"
	writeOnly     = "wo"
	write1ToClear = "w1c"
	readToClear   = "rc"

	bigEndian    = "big"
	littleEndian = "little"

	byRegister = "registers"
	byByte     = "bytes"
)

func (m *Map) addressWidth() int   { return cmp.Or(m.AddressWidth, 8) }
func (m *Map) autoIncrement() bool { return m.AutoIncrement == nil || *m.AutoIncrement }
func (r *Register) width() int     { return cmp.Or(r.Width, 8) }
func (p *Property) scale() float64 { return cmp.Or(p.Scale, 1) }

// span is how many addresses the register takes.
func (m *Map) span(r *Register) int {
	if m.Addressing == byByte {
		return r.width() / 8
	}
	return 1
}
