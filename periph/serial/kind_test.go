package serial_test

import (
	"strings"
	"testing"

	"backplane/periph"
	"backplane/periph/serial"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"github.com/google/go-cmp/cmp"
)

// TestEvents: a port of a board file has no power at first, and tells and counts what goes
// over its line.
func TestEvents(t *testing.T) {
	c, d := domain(t)
	var got []string
	env := &periph.Env{Name: "uart1", Clock: d, Emit: func(kind string, attrs ...simbus.Attr) {
		e := simbus.Event{Kind: kind, Attrs: attrs}
		if k, ok := simbus.FindKind(serial.Kind.Events, kind); !ok || k.Check(&e) != nil {
			t.Errorf("event %s is not as its kind says", e.AppendJSON(nil))
		}
		got = append(got, string(e.AppendJSON(nil)))
	}}
	port, err := serial.Kind.Config().Build(env)
	if err != nil {
		t.Fatal(err)
	}
	terminal, said := port.(periph.Terminal), new(strings.Builder)
	terminal.Output(func(p []byte) { said.Write(p) })
	input := func(text string) {
		if err := terminal.Input([]byte(text)); err != nil {
			t.Fatal(err)
		}
		advance(t, c, c.Now()+1e9)
	}
	input("lost")
	port.(periph.Powered).Power(true)
	driver := virtiotest.Start(t, port, 8, 0)
	driver.Rings[2].Add([][]byte{{1, 0, 0, 0, 1, 15: 0}}, nil) // the receiver on
	driver.Rings[0].Add(nil, []int{100})
	driver.Kick(2)
	input("in")
	driver.Rings[1].Add([][]byte{[]byte("out")}, nil)
	driver.Kick(1)
	advance(t, c, c.Now()+1e9)
	for _, request := range [][]byte{
		{3, 0, 1, 0, 2, 15: 0},                         // DTR
		{2, 0, 1, 0, 0x80, 0x25, 0, 0, 0x27, 4, 15: 0}, // 9600 7E2
		{4, 0, 1, 0, 1, 15: 0},                         // a break
	} {
		driver.Rings[2].Add([][]byte{request}, nil)
	}
	driver.Kick(2)
	want := []string{
		`{"t":0,"kind":"uart.overrun","lost":4,"total":4}`,
		`{"t":0,"kind":"uart.rx","data":"in"}`,
		`{"t":0,"kind":"uart.tx","data":"out"}`,
		`{"t":0,"kind":"uart.lines","lines":"dtr"}`,
		`{"t":0,"kind":"uart.format","rate":"9600 baud","format":"7E2"}`,
		`{"t":0,"kind":"uart.break","break":"on"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" || said.String() != "out" {
		t.Errorf("the terminal has %q; events (-want +got):\n%s", said, diff)
	}
	counters := make(map[string]int)
	for _, s := range serial.Kind.Properties {
		if n := port.(periph.Properties).Get(s.Name).Int(); n != 0 {
			counters[s.Name] = n
		}
	}
	if diff := cmp.Diff(map[string]int{"sent": 3, "received": 2, "overrun": 4, "rate": 9600, "dtr": 1}, counters); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}
