package serial_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/serial"
	"backplane/simbus"
)

// TestLink sends pieces from one UART to another, on a board with a time of its own: they
// arrive with their last bit, and not while the link is cut.
func TestLink(t *testing.T) {
	cal, near := domain(t)
	far, err := cal.AddDomain("far")
	if err != nil {
		t.Fatal(err)
	}
	ports := []*serial.UART{serial.NewUART("a", near, 9600), serial.NewUART("b", far, 9600)}
	link, err := new(serial.LinkConfig).Build(&periph.LinkEnv{Name: "l", Calendar: cal},
		[]periph.Joint{{Domain: near, Socket: ports[0]}, {Domain: far, Socket: ports[1]}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	ports[1].OnReceive = func(p []byte) { got = append(got, fmt.Sprintf("%s %s", far.Now(), p)) }
	send := func(second int, text string) {
		at := simbus.Time(second) * simbus.Time(time.Second)
		near.Do(func() { near.At(at, func() { ports[0].OnSend([]byte(text), at.Add(2*time.Millisecond)) }) })
		advance(t, cal, at+simbus.Time(time.Second))
	}
	send(1, "one")
	link.Cut("", true)
	send(2, "two")
	link.Cut("", false)
	send(3, "three")
	if want := "1.002000000s one, 3.002000000s three"; strings.Join(got, ", ") != want {
		t.Errorf("received %s, want %s", strings.Join(got, ", "), want)
	}
}

// TestLinkMistakes wants both ends to have the same rate, and two of them.
func TestLinkMistakes(t *testing.T) {
	end := func(baud int) periph.LinkEnd { return periph.LinkEnd{Config: &serial.Config{Baud: baud}} }
	for _, tt := range []struct {
		ends []periph.LinkEnd
		want string
	}{
		{[]periph.LinkEnd{end(9600), end(9600)}, ""},
		{[]periph.LinkEnd{end(9600), {}}, ""}, // the other was not found, which has been said
		{[]periph.LinkEnd{end(9600), end(115200)}, "ports: the ends run at 9600 and 115200 baud: they must be the same"},
		{[]periph.LinkEnd{end(9600)}, `ports: a serial link has two ends; this one has 1: write ports = ["a.uart", "b.uart"]`},
	} {
		got := ""
		new(serial.LinkConfig).Check(func(key, format string, args ...any) { got += key + ": " + fmt.Sprintf(format, args...) }, tt.ends)
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
