package can

import (
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/can"
)

// Kind is the CAN controller of board files.
var Kind = &periph.ControllerKind{
	Table:  "can",
	Title:  "CAN port",
	Source: "virtio 1.4 draft, CAN Device; ISO 11898-1:2015; Linux drivers/net/can/virtio_can.c",
	Kernel: []string{"CONFIG_CAN", "CONFIG_CAN_DEV", "CONFIG_CAN_VIRTIO_CAN", "CONFIG_CAN_RAW", "CONFIG_CAN_BCM", "CONFIG_CAN_GW",
		"CONFIG_CAN_ISOTP", "CONFIG_CAN_J1939"},
	Events: Events,
	Turns:  newTurns,
	Config: func() periph.ControllerConfig { return &Config{Bitrate: defaultBitrate} },
}

const defaultBitrate = 500_000

// Config is one [[can]] table of a board file.
type Config struct {
	Bitrate     int `toml:"bitrate,omitempty" jsonschema:"minimum=5000,maximum=1000000,default=500000,description=Bits per second"`
	DataBitrate int `toml:"data_bitrate,omitempty" jsonschema:"minimum=5000,maximum=8000000,description=Bits per second in the data phase of CAN FD frames; without it the port has no CAN FD"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.Bitrate < can.MinBitrate || c.Bitrate > can.MaxBitrate {
		report("bitrate", "bitrate is %d bit/s; it must be %d to %d", c.Bitrate, can.MinBitrate, can.MaxBitrate)
	}
	if d := c.DataBitrate; d != 0 && (d < c.Bitrate || d > can.MaxDataBitrate) {
		report("data_bitrate", "data_bitrate is %d bit/s; it must be at least the bitrate, %d, and at most %d", d, c.Bitrate, can.MaxDataBitrate)
	}
}

// Timing are the port's bit rates.
func (c *Config) Timing() can.Timing {
	return can.Timing{Bitrate: c.Bitrate, DataBitrate: c.DataBitrate}
}

// Build makes the controller, which tells the event stream of its states. While it is on no
// bus it also tells of the errors that it then has.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	b := NewController(env.Name, c.Timing(), env.Clock)
	b.node.Alone().Describe(env.Observed, env.Emit)
	b.OnState = func(s can.State) {
		tec, rec := b.node.Counters()
		env.Emit(KindState, simbus.Text("state", s.String()), simbus.Int("tec", tec), simbus.Int("rec", rec))
	}
	b.ConfigChanged = env.ConfigChanged
	b.OnOverrun = func(lost int) { env.Emit(KindOverrun, simbus.Int("total", lost)) }
	return b, nil
}

// Node has the bit rates, which are then the ones that "ip link set" takes
// (firmware/kernel/patches, virtio_can).
func (c *Controller) Node() periph.Node {
	t := c.node.Timing()
	n := periph.Node{Properties: []periph.NodeProperty{{Name: "bitrate", Value: uint32(t.Bitrate)}}}
	if t.DataBitrate > 0 {
		n.Properties = append(n.Properties, periph.NodeProperty{Name: "data-bitrate", Value: uint32(t.DataBitrate)})
	}
	return n
}

// Socket is the port, which a bus takes.
func (c *Controller) Socket(name string) any {
	if name != "" {
		return nil
	}
	return c.node
}
