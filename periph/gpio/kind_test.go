package gpio_test

import (
	"testing"

	"backplane/periph"
	"backplane/periph/gpio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestEvents: a controller of a board file tells what its lines do, as its kinds of events
// have it, and who is in conflict on one.
func TestEvents(t *testing.T) {
	var got []string
	env := &periph.Env{Name: "gpio0", Fault: func(text string) { got = append(got, text) },
		Emit: func(kind string, attrs ...simbus.Attr) {
			e := simbus.Event{Kind: kind, Attrs: attrs}
			if k, ok := simbus.FindKind(gpio.Kind.Events, kind); !ok || k.Check(&e) != nil {
				t.Errorf("event %s is not as its kind says", e.AppendJSON(nil))
			}
			got = append(got, string(e.AppendJSON(nil)))
		}}
	c, err := (&gpio.Config{Lines: []string{"alarm", ""}}).Build(env)
	if err != nil {
		t.Fatal(err)
	}
	lines := c.(periph.Lines)
	d := virtiotest.Start(t, c, 8, 1)
	d.Do(t, 0, request(irqType, 1, both), 2)
	outside := lines.Line(1).NewPin("outside")
	for _, drive := range []wire.Drive{wire.DriveHigh, wire.DriveLow} { // the second before the guest looks
		outside.Drive(drive)
	}
	d.Rings[1].Add([][]byte{{1, 0}}, []int{1})
	d.Kick(1)
	d.Do(t, 0, request(setDirection, 0, out), 2)
	lines.Line(0).NewPin("wire w").Drive(wire.DriveHigh)
	want := []string{
		`{"t":0,"kind":"gpio","line":"1","number":1,"level":1}`,
		`{"t":0,"kind":"gpio","line":"1","number":1,"level":0}`,
		`{"t":0,"kind":"gpio.missed","line":"1","number":1,"missed":1,"total":1}`,
		"line alarm: wire w drives it high and gpio0.alarm low",
	}
	if diff := cmp.Diff(want, got); diff != "" || lines.Missed(1) != 1 {
		t.Errorf("%d edges missed; events (-want +got):\n%s", lines.Missed(1), diff)
	}
}
