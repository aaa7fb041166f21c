package serial_test

import (
	"fmt"
	"strings"
	"testing"

	"backplane/periph"
	"backplane/periph/serial"
	"backplane/simbus/serial/outlet"

	"github.com/google/go-cmp/cmp"
)

// TestToHost says what is wrong with links to the host, and where others lead.
func TestToHost(t *testing.T) {
	var got []string
	for _, set := range []func(*serial.LinkConfig){
		func(c *serial.LinkConfig) { c.Pty = "modem" },
		func(c *serial.LinkConfig) { c.Listen = "unix:/tmp/x"; c.Format = "7E1" },
		func(c *serial.LinkConfig) {},
		func(c *serial.LinkConfig) { c.Pty, c.Listen = "a", "1" },
		func(c *serial.LinkConfig) { c.Pty = "a/b" },
		func(c *serial.LinkConfig) { c.Listen = "host:1" },
		func(c *serial.LinkConfig) { c.Pty, c.Format = "a", "9N1" },
		func(c *serial.LinkConfig) { c.Format = "8N1" },
	} {
		c := new(serial.LinkConfig)
		set(c)
		text := "to " + c.Outside()
		c.Check(func(key, format string, args ...any) { text += "; " + key + ": " + fmt.Sprintf(format, args...) }, []periph.LinkEnd{{}})
		got = append(got, text)
	}
	c := &serial.LinkConfig{}
	c.Pty = "a"
	c.Check(func(key, format string, args ...any) { got = append(got, key+": "+fmt.Sprintf(format, args...)) }, make([]periph.LinkEnd, 2))
	want := `to a pseudo terminal
to the address unix:/tmp/x
to ; ports: a serial link has two ends; this one has 1: write ports = ["a.uart", "b.uart"], or one port with pty or listen
to a pseudo terminal; listen: a port is given to the host in one way: write pty or listen
to a pseudo terminal; pty: pty is "a/b"; it must be a name, or an absolute path
to the address host:1; listen: "host:1" is not an address to listen on: write ADDRESS:PORT, such as 127.0.0.1:2217, or unix:PATH
to a pseudo terminal; format: "9N1" is not a format of characters: write data bits (5 to 8), parity (N, E, O, M or S) and stop bits (1, 1.5 or 2), such as 8N1
to ; format: format is for a link to the host: with pty or listen
ports: a serial link to the host has one port; this one has 2`
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWiringToHost: which of a port's modem lines follow those of a program depends on the wiring.
func TestWiringToHost(t *testing.T) {
	var got []string
	for _, wiring := range []string{"null-modem", "straight", "three-wire"} {
		c, d := domain(t)
		config := &serial.Config{Baud: 9600, FIFO: 16}
		u := serial.NewController("u", d, config)
		link := &serial.LinkConfig{Wiring: wiring}
		link.Pty = "a"
		l, err := link.Build(nil, []periph.Joint{{LinkEnd: periph.LinkEnd{Name: "b.u", Config: config}, Domain: d, Socket: u.Socket("")}})
		if err != nil {
			t.Fatal(err)
		}
		d.Do(func() { err = l.(interface{ End() *outlet.End }).End().Do(outlet.Act{Do: outlet.Open}) })
		if err != nil {
			t.Fatal(err)
		}
		advance(t, c, 1e9)
		got = append(got, wiring+": "+u.Port().Inputs().String())
	}
	if diff := cmp.Diff([]string{"null-modem: cts dsr dcd", "straight: cts dsr", "three-wire: "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
