package serial_test

import (
	"fmt"
	"strings"
	"testing"

	"backplane/periph"
	"backplane/periph/serial"
	"backplane/simbus"
	line "backplane/simbus/serial"
)

// TestLinkMistakes wants two ends, and a wiring and a delay that there are.
func TestLinkMistakes(t *testing.T) {
	end := func(baud int) periph.LinkEnd { return periph.LinkEnd{Config: &serial.Config{Baud: baud}} }
	for _, tt := range []struct {
		config serial.LinkConfig
		ends   []periph.LinkEnd
		want   string
	}{
		{ends: []periph.LinkEnd{end(9600), end(115200)}}, // they may disagree
		{ends: []periph.LinkEnd{end(9600)}, want: `ports: a serial link has two ends; this one has 1: write ports = ["a.uart", "b.uart"], or one port with pty or listen`},
		{serial.LinkConfig{Wiring: "crossed"}, []periph.LinkEnd{end(1), end(1)}, `wiring: wiring is "crossed"; it must be "null-modem", "straight" or "three-wire"`},
		{serial.LinkConfig{Delay: periph.Duration(11e9)}, []periph.LinkEnd{end(1), end(1)}, "delay: delay is 11s; it must be 0s to 10s"},
	} {
		got := ""
		tt.config.Check(func(key, format string, args ...any) { got += key + ": " + fmt.Sprintf(format, args...) }, tt.ends)
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestBus sends from one port to all others of an RS-485 bus, while its driver is enabled.
func TestBus(t *testing.T) {
	cal, d := domain(t)
	var ports []*serial.Controller
	var ends []periph.Joint
	heard := make([]strings.Builder, 3)
	for i := range 3 {
		c := serial.Kind.Config().(*serial.Config)
		c.DriverEnable, c.Baud = "rts", 9600
		u := serial.NewController(fmt.Sprint("u", i), d, c)
		u.OnReceive = func(r line.Received) { heard[i].Write(r.Data) }
		ports = append(ports, u)
		ends = append(ends, periph.Joint{LinkEnd: periph.LinkEnd{Name: fmt.Sprint("b", i, ".u"), Config: c}, Domain: d, Socket: u.Socket("")})
	}
	link, err := new(serial.BusConfig).Build(&periph.LinkEnv{Name: "bus", Calendar: cal}, ends)
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		d.Do(func() { ports[0].Port().Transmit([]byte(text)) })
		advance(t, cal, cal.Now()+simbus.Time(1e9))
	}
	say("one")
	d.Do(func() { ports[0].Port().SetDriver(true) })
	say("two")
	link.Cut("", true)
	say("three")
	link.Cut("", false)
	say("four")
	link.Cut("b1.u", true)
	say("five")
	link.Cut("", true)
	link.Cut("b1.u", false) // the bus still is
	say("six")
	link.Cut("", false)
	link.Cut("", false) // which changes nothing
	say("seven")
	if got := fmt.Sprintf("%s %s", heard[1].String(), heard[2].String()); got != "twofourseven twofourfiveseven" {
		t.Errorf("the others have heard %q", got)
	}
	if got := heard[0].String(); got != "twofourfiveseven" { // its own echo
		t.Errorf("it has heard %q", got)
	}
}

// TestBusSlot gives the place of a slot on an RS-485 bus to one port, to none, and to another.
func TestBusSlot(t *testing.T) {
	cal, d := domain(t)
	var ports []*serial.Controller
	heard := make([]strings.Builder, 3)
	config := serial.BusConfig{Ports: []string{"b0.u", "s.u"}}
	for i := range 3 {
		c := serial.Kind.Config().(*serial.Config)
		c.DriverEnable, c.Baud = "rts", 9600
		u := serial.NewController(fmt.Sprint("u", i), d, c)
		u.OnReceive = func(r line.Received) { heard[i].Write(r.Data) }
		ports = append(ports, u)
	}
	turns := serial.Kind.Turns(d)
	link, err := config.Build(&periph.LinkEnv{Name: "bus", Calendar: cal}, []periph.Joint{
		{LinkEnd: config.Ends()[0], Domain: d, Socket: ports[0].Socket("")}, {LinkEnd: config.Ends()[1], Domain: d, Socket: turns.Socket()}})
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string, choose any) {
		d.Do(func() { turns.Choose(choose); ports[0].Port().SetDriver(true); ports[0].Port().Transmit([]byte(text)) })
		advance(t, cal, cal.Now()+simbus.Time(1e9))
	}
	say("one", nil)
	say("two", ports[1].Socket(""))
	say("three", ports[2].Socket(""))
	link.Cut("s.u", true)
	say("four", ports[1].Socket(""))
	link.Cut("s.u", false)
	say("five", ports[1].Socket(""))
	link.Leave("s.u")
	d.Do(func() { ports[0].Port().Transmit([]byte("six")) })
	advance(t, cal, cal.Now()+simbus.Time(1e9))
	if got := fmt.Sprintf("%s %s", heard[1].String(), heard[2].String()); got != "twofive three" {
		t.Errorf("the others have heard %q", got)
	}
}

// TestBusMistakes wants a transceiver.
func TestBusMistakes(t *testing.T) {
	got := ""
	new(serial.BusConfig).Check(func(key, format string, args ...any) { got += key + ": " + fmt.Sprintf(format, args...) },
		[]periph.LinkEnd{{Name: "a.u", Key: "ports[0]", Config: &serial.Config{DriverEnable: "rts"}}, {Name: "b.u", Key: "ports[1]", Config: &serial.Config{}}})
	if want := `ports[1]: b.u has no transceiver for RS-485: write driver_enable = "rts", or a GPIO line, in its [[serial]]`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
