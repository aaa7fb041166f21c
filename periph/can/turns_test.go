package can_test

import (
	"slices"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/can"
)

// TestSlot gives the port of a slot to a board, to none, and to the board again: frames go to who has it, with what the
// port was set to, and to nobody while the slot is empty or the port is cut.
func TestSlot(t *testing.T) {
	b := newBench(t, timing, timing)
	for i := range 2 {
		b.bus.Leave(b.dev[i].Port())
	}
	turns := can.Kind.Turns(b.dom)
	config := can.BusConfig{Ports: []string{"a.can0", "s.can0"}, Port: []can.PortConfig{{Name: "s.can0", ErrorRate: 0.25}}}
	ends := config.Ends()
	link, err := config.Build(&periph.LinkEnv{Name: "bus", Calendar: b.cal, Seed: 1}, []periph.Joint{
		{LinkEnd: ends[0], Domain: b.dom, Socket: b.dev[0].Socket("")}, {LinkEnd: ends[1], Domain: b.dom, Socket: turns.Socket()}})
	if err != nil {
		t.Fatal(err)
	}
	s := link.(periph.Segment)
	b.up()
	b.advance(time.Millisecond)
	choose := func(socket any) {
		b.dom.Do(func() { turns.Choose(socket) })
		b.advance(time.Millisecond)
	}
	try := func(what string, want ...string) {
		t.Helper()
		b.dom.Do(func() { b.drv[0].Send("123#") })
		b.advance(time.Millisecond)
		if got := b.drv[1].Received(); !slices.Equal(got, want) {
			t.Errorf("%s: %q arrive, want %q", what, got, want)
		}
		b.dom.Do(func() { b.drv[0].Down(); b.drv[0].Up() }) // a frame that nobody acknowledges is sent no more
		b.advance(time.Millisecond)
	}
	try("an empty slot")
	choose(b.dev[1].Socket(""))
	if rate := s.At("s.can0", "").Get("error_rate"); rate.Float() != 0.25 {
		t.Errorf("the port's error rate is %v", rate)
	}
	if err := s.At("s.can0", "").Set("error_rate", periph.Num(0)); err != nil {
		t.Fatal(err)
	}
	try("a board", "123#")
	s.Cut("s.can0", true)
	try("cut")
	choose(nil)
	s.Cut("s.can0", false)
	try("empty again")
	choose(b.dev[1].Socket(""))
	try("the board again", "123#")
	if b.dev[1].Port().Name() != "s.can0" {
		t.Errorf("the board's node is called %s", b.dev[1].Port().Name())
	}
}
