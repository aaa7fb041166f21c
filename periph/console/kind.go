package console

import "backplane/periph"

// What the kinds of controllers have alike whose driver is that of consoles.
const (
	Source = "virtio 1.2 section 5.3; Linux drivers/char/virtio_console.c"
	Device = "hvc"
)

// Kernel lists the driver's symbol.
var Kernel = []string{"CONFIG_VIRTIO_CONSOLE"}

// Main is the main console of each board. The kernel's messages go to its first one.
var Main = &periph.ControllerKind{
	Always:   "console",
	Title:    "main console",
	Source:   Source,
	Kernel:   Kernel,
	Terminal: true,
	Device:   Device,
	Config:   func() periph.ControllerConfig { return &Config{limit: InputLimit} },
}

// Kind is a further console, of board files.
var Kind = &periph.ControllerKind{
	Table:    "console",
	Title:    "console",
	Source:   Source,
	Kernel:   Kernel,
	Terminal: true,
	Device:   Device,
	Config:   func() periph.ControllerConfig { return &Config{limit: InputLimit} },
}

// Agent is the console by which each board's init is spoken to.
var Agent = &periph.ControllerKind{
	Always: "agent",
	Title:  "console of the agent in init",
	Source: Source,
	Kernel: Kernel,
	Device: Device,
	Config: func() periph.ControllerConfig { return &Config{limit: agentLimit} },
}

// agentLimit is how much can be under way to a board's agent, in bytes.
const agentLimit = 32 << 20

// Config is one [[console]] table of a board file.
type Config struct {
	limit int // of input that waits
}

// Check finds nothing.
func (c *Config) Check(periph.Report) {}

// Build makes the console.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	console := New(env.Name)
	console.Limit = c.limit
	return console, nil
}
