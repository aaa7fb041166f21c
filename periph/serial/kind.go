package serial

import (
	"maps"
	"slices"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/serial"
)

// Kind is the serial port of board files.
var Kind = &periph.ControllerKind{
	Table:  "serial",
	Title:  "serial port",
	Source: "National Semiconductor PC16550D, 1995; Linux drivers/tty/serial/virtio_uart.c (firmware/kernel/patches)",
	Kernel: []string{"CONFIG_SERIAL_VIRTIO_UART", "CONFIG_SERIAL_VIRTIO_UART_CONSOLE",
		"CONFIG_PPP", "CONFIG_PPP_ASYNC", "CONFIG_SLIP", "CONFIG_PPS_CLIENT_LDISC"},
	Events:     Events,
	Terminal:   true,
	Device:     "ttyS",
	Renamed:    true,
	Properties: properties,
	Turns:      newTurns,
	Config: func() periph.ControllerConfig {
		return &Config{Baud: defaultBaud, FIFO: defaultFIFO, Receiver: receiverAlways}
	},
}

const (
	defaultBaud = 115_200
	minBaud     = 50
	maxBaud     = 12_000_000
	minFIFO     = 16
	defaultFIFO = 4096
	maxFIFO     = 4096
	ringSize    = 64 << 10 // bytes of memory that a UART with DMA receives into: 160 ms at 4 Mbaud
	minClock    = 16 * minBaud
	maxClock    = 16 * maxBaud
)

// What enables a transceiver's driver and its receiver.
const (
	enabledByRTS    = "rts"
	receiverAlways  = "always"
	receiverInverse = "inverse"
)

// Config is one [[serial]] table of a board file.
type Config struct {
	Baud         int               `toml:"baud,omitempty" jsonschema:"minimum=50,maximum=12000000,default=115200,description=Bits per second as the bootloader has set the port to (8N1): Linux sets it to its own when it opens it"`
	Clock        int               `toml:"clock,omitempty" jsonschema:"minimum=800,maximum=192000000,description=What its baud rate generator divides by 16 and a whole number in Hz; without it any rate is exact"`
	FIFO         int               `toml:"fifo,omitempty" jsonschema:"minimum=16,maximum=4096,default=4096,description=Bytes in each of its FIFOs"`
	Trigger      int               `toml:"trigger,omitempty" jsonschema:"minimum=1,description=Bytes in the receive FIFO at which it interrupts as a 16550A does; without it it does so when the other side pauses"`
	DriverEnable string            `toml:"driver_enable,omitempty" jsonschema:"description=What enables the driver of its RS-485 transceiver: rts or a GPIO line; without it there is no transceiver"`
	Pins         map[string]string `toml:"pins,omitempty" jsonschema:"description=GPIO lines that its modem lines are soldered to: rts and dtr and cts and dsr and dcd and ri; low is active"`
	Receiver     string            `toml:"receiver,omitempty" jsonschema:"enum=always,enum=inverse,default=always,description=Whether the transceiver's receiver is enabled always or only while its driver is not"`
	RS485        bool              `toml:"rs485,omitempty" jsonschema:"description=Whether the kernel has RTS tell when the port sends from the start on (linux,rs485-enabled-at-boot-time)"`
	RTSDelay     []int             `toml:"rts_delay,omitempty" jsonschema:"description=Milliseconds before and after sending for which RTS does so then (rs485-rts-delay)"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	for _, x := range []struct {
		key              string
		value, low, high int
		needed           bool
	}{{"baud", c.Baud, minBaud, maxBaud, true}, {"clock", c.Clock, minClock, maxClock, false}, {"fifo", c.FIFO, minFIFO, maxFIFO, true}} {
		if (x.value != 0 || x.needed) && (x.value < x.low || x.value > x.high) {
			report(x.key, "%s is %d; it must be %d to %d", x.key, x.value, x.low, x.high)
		}
	}
	if low, high := c.rates(); c.Clock >= minClock && c.Clock <= maxClock && (c.Baud < low || c.Baud > high) {
		report("clock", "clock is %d; divided by 16 and a whole number up to %d it gives %d to %d baud, and baud is %d", c.Clock, maxDivisor, low, high, c.Baud)
	}
	if c.Trigger < 0 || c.Trigger > c.FIFO {
		report("trigger", "trigger is %d; it must be 1 to the FIFO's size, %d", c.Trigger, c.FIFO)
	}
	if d := c.RTSDelay; d != nil && (len(d) != 2 || min(d[0], d[1]) < 0 || max(d[0], d[1]) > maxDelay) {
		report("rts_delay", "rts_delay is %v; it must be two numbers of 0 to %d ms", d, maxDelay)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pins)) {
		if modemLine(name) == 0 {
			report("pins."+name, "a serial port has no pin %q%s", name, periph.Suggest(name, serial.LineNames[:]))
		}
	}
	c.checkTransceiver(report)
}

// checkTransceiver finds what is said of a transceiver that is not there.
func (c *Config) checkTransceiver(report periph.Report) {
	key := ""
	switch {
	case c.DriverEnable == enabledByRTS || c.Pins["rts"] != "":
	case c.RS485:
		key = "rs485"
	case slices.ContainsFunc(c.RTSDelay, func(ms int) bool { return ms != 0 }):
		key = "rts_delay"
	}
	if key != "" {
		report(key, "%s is for RTS as the driver enable of RS-485, and RTS enables nothing here: write driver_enable = %q", key, enabledByRTS)
	}
	if c.Receiver != receiverAlways && c.Receiver != receiverInverse {
		report("receiver", "receiver is %q; it must be %q or %q", c.Receiver, receiverAlways, receiverInverse)
	} else if c.Receiver == receiverInverse && c.DriverEnable == "" {
		report("receiver", "receiver is %q, of a transceiver that is not there: write driver_enable = %q, or a GPIO line", c.Receiver, enabledByRTS)
	}
}

// PinLines are the lines of its pins.
func (c *Config) PinLines() map[string]string {
	lines := make(map[string]string)
	for name, line := range c.Pins {
		if modemLine(name) != 0 {
			lines["pins."+name] = line
		}
	}
	if c.DriverEnable != "" && c.DriverEnable != enabledByRTS {
		lines["driver_enable"] = c.DriverEnable
	}
	return lines
}

func (c *Config) fifo() int { return c.FIFO }

// room is what has arrived at most until something is lost. A UART with DMA, which has the
// largest FIFO, goes on into memory, so that a host that is late for its guest in real time
// loses nothing.
func (c *Config) room() int {
	if c.FIFO == maxFIFO {
		return ringSize
	}
	return c.FIFO
}

// Build makes the port, without power, which tells the event stream of what goes over its line.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	u := NewController(env.Name, env.Clock, c)
	u.device = env.Device
	u.solder(env.Pin)
	u.rand = env.Rand
	u.Power(false)
	u.OnSent = func(p []byte) { env.Emit(KindTx, simbus.Text("data", string(p))) }
	u.OnReceive = func(r serial.Received) {
		attrs := []simbus.Attr{simbus.Text("data", string(r.Data))}
		if e := errorWord(r.Flags); e != "" {
			attrs = append(attrs, simbus.Text("error", e))
		}
		env.Emit(KindRx, attrs...)
	}
	u.OnOverrun = func(lost int) {
		env.Emit(KindOverrun, simbus.Int("lost", lost), simbus.Int("total", int(u.rx.dropped)))
	}
	u.OnFormat = func(f serial.Format) {
		env.Emit(KindFormat, simbus.Text("rate", f.Rate.String()), simbus.Text("format", f.Frame()))
	}
	u.OnLines = func(l serial.Lines) { env.Emit(KindLines, simbus.Text("lines", l.String())) }
	u.OnBreak = func(on bool) { env.Emit(KindBreak, simbus.Text("break", onOff(on))) }
	return u, nil
}

// Node names the port, and says what the bootloader has left it at.
func (c *Controller) Node() periph.Node {
	n := periph.Node{Properties: []periph.NodeProperty{{Name: "current-speed", Value: uint32(c.config.Baud)}}}
	if c.device != "" {
		n.Properties = append(n.Properties, periph.NodeProperty{Name: "linux,tty-name", Value: c.device})
	}
	if c.config.RS485 {
		n.Properties = append(n.Properties, periph.NodeProperty{Name: "linux,rs485-enabled-at-boot-time", Value: true})
	}
	if d := c.config.RTSDelay; d != nil {
		n.Properties = append(n.Properties, periph.NodeProperty{Name: "rs485-rts-delay", Value: []uint32{uint32(d[0]), uint32(d[1])}})
	}
	return n
}
