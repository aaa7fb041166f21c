package serial

import (
	"fmt"

	"backplane/periph"
	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// toHost is where a link with one port leads to on the host.
type toHost struct {
	Pty    string `toml:"pty,omitempty" jsonschema:"description=With one port: programs of the host find its other end as a pseudo terminal; a name in the appliance's runtime folder or an absolute path"`
	Listen string `toml:"listen,omitempty" jsonschema:"description=With one port: programs of the host find its other end by RFC 2217 at ADDRESS:PORT or unix:NAME or unix:/PATH"`
	Format string `toml:"format,omitempty" jsonschema:"description=Data bits and parity and stop bits of the host's end until a program sets others such as 8E1; 8N1 if left out"`
}

// Outside says what of the host the link leads to.
func (h *toHost) Outside() string {
	switch {
	case h.Pty != "":
		return "a pseudo terminal"
	case h.Listen != "":
		return "the address " + h.Listen
	}
	return ""
}

func (h *toHost) way() outlet.Way { return outlet.Way{Pty: h.Pty, Listen: h.Listen} }

// check reports what is wrong with a link of so many ends.
func (h *toHost) check(report periph.Report, ends int) {
	switch {
	case h.Outside() == "" && h.Format != "":
		report("format", "format is for a link to the host: with pty or listen")
	case h.Outside() == "" && ends != 2:
		report("ports", "a serial link has two ends; this one has %d: write ports = [\"a.uart\", \"b.uart\"], or one port with pty or listen", ends)
	case h.Outside() == "":
	case ends != 1:
		report("ports", "a serial link to the host has one port; this one has %d", ends)
	default:
		key := "pty"
		if h.Listen != "" {
			key = "listen"
		}
		if err := h.way().Check(); err != nil {
			report(key, "%v", err)
		}
		if _, err := h.frame(); err != nil {
			report("format", "%v", err)
		}
	}
}

// frame is the format of the host's end, but for its rate.
func (h *toHost) frame() (serial.Format, error) {
	if h.Format == "" {
		return outlet.ParseFrame("8N1")
	}
	return outlet.ParseFrame(h.Format)
}

// hostLink is a cable from a port to the host. Package boards/appliance opens it.
type hostLink struct {
	end *outlet.End
	way outlet.Way
	set outlet.Settings
}

// build makes the link of a port, whose bootloader has set it to a rate.
func (h *toHost) build(e periph.Joint, cable serial.Cable) (periph.Link, error) {
	port, ok := e.Socket.(*serial.Port)
	if !ok {
		return nil, fmt.Errorf("%s: a %T is not a serial port", e.Name, e.Socket)
	}
	f, err := h.frame()
	if err != nil {
		return nil, err
	}
	f.Rate = serial.Baud(defaultBaud)
	if c, ok := e.Config.(*Config); ok {
		f.Rate = serial.Baud(c.Baud)
	}
	l := &hostLink{way: h.way(), set: outlet.Settings{Format: f}}
	e.Domain.Do(func() { l.end = outlet.Plug(port, e.Domain, f, cable) })
	return l, nil
}

// End is the host's end.
func (l *hostLink) End() *outlet.End { return l.end }

// Way is where programs find it, and what it is set to at first.
func (l *hostLink) Way() (outlet.Way, outlet.Settings) { return l.way, l.set }

// Cut takes the cable off: lines rest, and modem lines are inactive.
func (l *hostLink) Cut(_ string, cut bool) { l.end.Link().Cut(cut) }

// Leave takes the cable off for good.
func (l *hostLink) Leave(string) { l.end.Link().Leave() }
