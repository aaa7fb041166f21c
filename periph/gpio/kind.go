package gpio

import (
	"fmt"
	"regexp"
	"strconv"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// Kind is the GPIO controller of board files.
var Kind = &periph.ControllerKind{
	Table:  BusName,
	Title:  "GPIO controller",
	Source: "virtio 1.2 section 5.18; Linux drivers/gpio/gpio-virtio.c",
	Kernel: []string{"CONFIG_GPIOLIB", "CONFIG_GPIO_VIRTIO", "CONFIG_GPIO_SYSFS", "CONFIG_GPIO_CDEV",
		"CONFIG_GPIO_CDEV_V1"}, // in which Debian 12's gpiod speaks
	Events: Events,
	Nodes:  regexp.MustCompile(`^/dev/gpiochip[0-9]+$`),
	Chips:  true,
	Turns:  newTurns,
	Config: func() periph.ControllerConfig { return new(Config) },
}

// Config is one [[gpio]] table of a board file.
type Config struct {
	Lines []string `toml:"lines" jsonschema:"description=Names of the lines; an empty name leaves a line unnamed"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if err := CheckLines(c.Lines); err != nil {
		report("lines", "%v", err)
	}
}

// LineNames are those of the lines.
func (c *Config) LineNames() []string { return c.Lines }

// Build makes the controller, which tells the event stream of its lines.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	g := New(env.Name, c.Lines)
	g.Clock, g.Access = env.Clock, env.Access
	for i, name := range c.Lines {
		Tell(env, g.Line(i), label(name, i), i)
	}
	g.OnMissed = func(i, n int, total uint64) {
		env.Emit(KindMissed, simbus.Text("line", label(c.Lines[i], i)), simbus.Int("number", i), simbus.Int("missed", n), simbus.Int("total", total))
	}
	return g, nil
}

// label is a line's name, or its number if it has none.
func label(name string, i int) string {
	if name == "" {
		return strconv.Itoa(i)
	}
	return name
}

// Tell lets the event stream have what a line does: one of a controller, or one of a chip
// whose lines the kernel knows by number as well.
func Tell(env *periph.Env, w *wire.Wire, line string, number int) {
	w.OnChange = func(l wire.Level) {
		level := 0
		if l == wire.High {
			level = 1
		}
		env.Emit(KindLevel, simbus.Text("line", line), simbus.Int("number", number), simbus.Int("level", level))
	}
	w.OnConflict = func(high, low *wire.Pin) {
		env.Fault(fmt.Sprintf("line %s: %s drives it high and %s low", line, high.Name, low.Name))
	}
}

// Node is that of a GPIO and interrupt controller.
func (c *Controller) Node() periph.Node {
	return periph.Node{Properties: []periph.NodeProperty{
		{Name: "gpio-controller", Value: true}, {Name: "#gpio-cells", Value: uint32(2)},
		{Name: "interrupt-controller", Value: true}, {Name: "#interrupt-cells", Value: uint32(2)},
	}}
}
