package spi

import (
	"backplane/periph"
	"backplane/simbus"
)

// Kind is the SPI controller of board files.
var Kind = &periph.ControllerKind{
	Table:    BusName,
	Title:    "SPI controller",
	Source:   "virtio 1.4 draft, SPI Controller Device; Linux drivers/spi/spi-virtio.c",
	Kernel:   []string{"CONFIG_SPI", "CONFIG_SPI_MASTER", "CONFIG_SPI_VIRTIO", "CONFIG_SPI_SPIDEV"},
	Events:   Events,
	Chips:    true,
	Numbered: true,
	Config:   func() periph.ControllerConfig { return &Config{Frequency: defaultFrequency} },
}

const (
	defaultFrequency = 50_000_000
	maxFrequency     = 200_000_000
)

// Config is one [[spi]] table of a board file.
type Config struct {
	Frequency int `toml:"frequency,omitempty" jsonschema:"minimum=0,maximum=200000000,default=50000000,description=Highest clock in Hz; 0: any\\, and transfers take no time"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.Frequency < 0 || c.Frequency > maxFrequency {
		report("frequency", "frequency is %d Hz; it must be 0 to %d", c.Frequency, maxFrequency)
	}
}

// Build makes the controller, which tells the event stream of each transfer.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	return NewController(env.Name, *c, env.Clock, func(t *Transfer) {
		if !env.Observed() {
			return
		}
		last, result := 0, carriedOut
		if t.Last {
			last = 1
		}
		if t.Err != nil {
			result = t.Err.Error()
		}
		env.Emit(KindTransfer, simbus.Int("select", t.Select), simbus.Text("transfer", Format(t.Tx, t.Rx)),
			simbus.Int("last", last), simbus.Text("mode", t.Mode.String()), simbus.Int("hz", t.Hz), simbus.Text("result", result))
	}), nil
}

// Node tells the kernel how its chips' chip selects are written.
func (c *Controller) Node() periph.Node {
	return periph.Node{Properties: []periph.NodeProperty{{Name: "#address-cells", Value: uint32(1)}, {Name: "#size-cells", Value: uint32(0)}}}
}

// Socket is the bus.
func (c *Controller) Socket(name string) any {
	if name != "" {
		return nil
	}
	return c.Bus
}
