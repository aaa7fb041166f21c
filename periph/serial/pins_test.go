package serial_test

import (
	"strings"
	"testing"

	"backplane/periph"
	"backplane/periph/serial"
	"backplane/simbus"
	line "backplane/simbus/serial"
	"backplane/simbus/wire"
)

// TestPins joins modem lines and the driver enable of a transceiver to GPIO lines.
func TestPins(t *testing.T) {
	cal, d := domain(t)
	wires := map[string]*wire.Wire{"pins.rts": {}, "pins.cts": {}, "driver_enable": {}}
	c := serial.Kind.Config().(*serial.Config)
	c.Pins, c.DriverEnable = map[string]string{"rts": "gpio0.rts", "cts": "gpio0.cts"}, "gpio0.de"
	env := &periph.Env{Name: "uart1", Clock: d, Emit: func(string, ...simbus.Attr) {},
		Pin: func(key string) *wire.Pin { return wires[key].NewPin(key) }}
	built, err := c.Build(env)
	if err != nil {
		t.Fatal(err)
	}
	u := built.(*serial.Controller)
	var heard strings.Builder
	far := line.NewPort(d)
	far.OnReceive = func(r line.Received) { heard.Write(r.Data) }
	far.SetFormat(u.Port().Format())
	line.Join(line.End{Port: u.Port(), Domain: d}, line.End{Port: far, Domain: d}, line.Cable{Wiring: line.ThreeWire})
	gpio := func(key string) *wire.Pin { return wires[key].NewPin("gpio") }
	cts, de := gpio("pins.cts"), gpio("driver_enable")
	pull := gpio("pins.rts")
	pull.Drive(wire.PullDown)
	if wires["pins.rts"].Level() != wire.Low {
		t.Error("without power, RTS is driven")
	}
	u.Power(true)
	if wires["pins.rts"].Level() != wire.High {
		t.Error("RTS is active at first")
	}
	for _, level := range []wire.Level{wire.High, wire.Low} {
		d.Do(func() { cts.Drive(level.Strong()) })
		if active := u.Get("cts").Bool(); active != (level == wire.Low) {
			t.Errorf("with its line at %s, CTS is %v", level, active)
		}
	}
	for _, text := range []string{"unheard", "heard"} {
		d.Do(func() {
			de.Drive(wire.Level(text == "heard").Strong())
			u.Port().Transmit([]byte(text))
		})
		advance(t, cal, cal.Now()+simbus.Time(1e8))
	}
	if heard.String() != "heard" {
		t.Errorf("the other end has heard %q", heard.String())
	}
}
