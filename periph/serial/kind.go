package serial

import (
	"backplane/periph"
	"backplane/periph/console"
	"backplane/simbus"
)

// Kind is the serial port of board files.
var Kind = &periph.ControllerKind{
	Table:    "serial",
	Title:    "serial port",
	Source:   console.Source,
	Kernel:   console.Kernel,
	Events:   Events,
	Terminal: true,
	Device:   console.Device,
	Properties: []periph.Spec{
		{Name: propertySent, Kind: periph.Whole, ReadOnly: true, Doc: "bytes that the guest has sent over the line"},
		{Name: propertyReceived, Kind: periph.Whole, ReadOnly: true, Doc: "bytes that have arrived over the line"},
		{Name: propertyOverrun, Kind: periph.Whole, ReadOnly: true, Doc: "bytes that arrived and were dropped"},
	},
	Config: func() periph.ControllerConfig { return &Config{Baud: defaultBaud} },
}

const (
	propertySent     = "sent"
	propertyReceived = "received"
	propertyOverrun  = "overrun"
)

const (
	defaultBaud = 115_200
	minBaud     = 50
	maxBaud     = 12_000_000
)

// Config is one [[serial]] table of a board file.
type Config struct {
	Baud int `toml:"baud,omitempty" jsonschema:"minimum=50,maximum=12000000,default=115200,description=Bits per second (8N1)"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.Baud < minBaud || c.Baud > maxBaud {
		report("baud", "baud is %d; it must be %d to %d", c.Baud, minBaud, maxBaud)
	}
}

// Build makes the port, which tells the event stream of what goes over its line.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	u := NewUART(env.Name, env.Clock, c.Baud)
	u.Power(false)
	u.OnSent = func(p []byte) { env.Emit(KindTx, simbus.Text("data", string(p))) }
	u.OnReceive = func(p []byte) { env.Emit(KindRx, simbus.Text("data", string(p))) }
	u.OnOverrun = func(lost int) { env.Emit(KindOverrun, simbus.Int("lost", lost), simbus.Int("total", u.dropped)) }
	return u, nil
}
