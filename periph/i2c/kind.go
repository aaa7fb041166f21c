package i2c

import (
	"fmt"

	"backplane/periph"
	"backplane/simbus"
)

// Kind is the I2C controller of board files.
var Kind = &periph.ControllerKind{
	Table:    BusName,
	Title:    "I2C controller",
	Source:   "virtio 1.2 section 5.16; Linux drivers/i2c/busses/i2c-virtio.c",
	Kernel:   []string{"CONFIG_I2C", "CONFIG_I2C_VIRTIO", "CONFIG_I2C_CHARDEV"},
	Events:   Events,
	Chips:    true,
	Numbered: true,
	Config:   func() periph.ControllerConfig { return &Config{Frequency: defaultFrequency} },
}

const (
	defaultFrequency = 100_000 // standard mode: clock-frequency of the kernel's I2C bindings
	maxFrequency     = 5_000_000
)

// Config is one [[i2c]] table of a board file.
type Config struct {
	Frequency int `toml:"frequency,omitempty" jsonschema:"minimum=0,maximum=5000000,default=100000,description=Bus clock in Hz; 0: transactions take no time"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.Frequency < 0 || c.Frequency > maxFrequency {
		report("frequency", "frequency is %d Hz; it must be 0 to %d", c.Frequency, maxFrequency)
	}
}

// Build makes the controller, which tells the event stream of each transaction.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	b := NewController(env.Name)
	b.Clock, b.Frequency = env.Clock, c.Frequency
	b.OnTransfer = func(addr uint8, msgs []Msg, err error) {
		if !env.Observed() {
			return
		}
		result := resultOK
		if err != nil {
			result = resultNack
		}
		env.Emit(KindTransaction, simbus.Text("addr", fmt.Sprintf("%#02x", addr)),
			simbus.Text("messages", Format(msgs)), simbus.Text("result", result))
	}
	return b, nil
}

// Node tells the kernel the bus's clock, and how its chips' addresses are written.
func (c *Controller) Node() periph.Node {
	n := periph.Node{Properties: []periph.NodeProperty{{Name: "#address-cells", Value: uint32(1)}, {Name: "#size-cells", Value: uint32(0)}}}
	if c.Frequency > 0 {
		n.Properties = append(n.Properties, periph.NodeProperty{Name: "clock-frequency", Value: uint32(c.Frequency)})
	}
	return n
}

// Socket is the bus.
func (c *Controller) Socket(name string) any {
	if name != "" {
		return nil
	}
	return c.Bus
}
