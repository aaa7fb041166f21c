package periph

import (
	"fmt"
	"strings"
	"testing"

	"backplane/simbus/wire"
)

// recorder is a chip that drives its pin high, with power and without, and notes its life.
type recorder struct {
	name string
	log  *[]string
}

func (c *recorder) Power(on bool) {
	*c.log = append(*c.log, fmt.Sprintf("%s power %v", c.name, on))
}
func (c *recorder) Get(string) Value        { return Value{} }
func (c *recorder) Set(string, Value) error { return nil }
func (c *recorder) Close() error            { return nil }

// seat makes a chip with a pin on a wire of its own, and its seat.
func (c *recorder) seat(t *testing.T, on *Seat, unplugged bool) (*Seat, *wire.Wire) {
	t.Helper()
	w := &wire.Wire{Name: c.name}
	w.OnChange = func(l wire.Level) { *c.log = append(*c.log, fmt.Sprintf("%s line %s", c.name, l)) }
	pin := w.NewPin("pin")
	pin.Watch(func(l wire.Level) { *c.log = append(*c.log, fmt.Sprintf("%s sees %s", c.name, l)) })
	pin.Drive(wire.DriveHigh)
	s, err := NewSeat(c, []*wire.Pin{pin}, on, unplugged, func() (func(), error) {
		*c.log = append(*c.log, c.name+" on")
		return func() { *c.log = append(*c.log, c.name+" off") }, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

// TestSeat has a chip and one on it go through all that a chip's life has.
func TestSeat(t *testing.T) {
	var log []string
	mux, muxLine := (&recorder{"mux", &log}).seat(t, nil, false)
	far, farLine := (&recorder{"far", &log}).seat(t, mux, true)
	plug := func(s *Seat, in bool) func() {
		return func() {
			if err := s.Plug(in); err != nil {
				t.Fatal(err)
			}
		}
	}
	supply := func(on bool) func() {
		return func() {
			mux.Supply(on)
			far.Supply(on)
		}
	}
	log = nil
	for _, step := range []struct {
		what  string
		do    func()
		want  string
		lines string // of mux and far
	}{
		{"what is not there gets no power", supply(true), "mux power true", "10"},
		{"plugged", plug(far, true), "far on, far line 1, far power true", "11"},
		{"it goes with what it is on", plug(mux, false), "mux power false, mux line 0, mux off, far power false, far line 0, far off", "00"},
		{"nothing is there", supply(false), "", "00"},
		{"nor now", supply(true), "", "00"},
		{"it comes with what it is on", plug(mux, true), "mux on, mux line 1, mux power true, far on, far line 1, far power true", "11"},
		{"unplugged alone", plug(far, false), "far power false, far line 0, far off", "10"},
		{"what was unplugged stays so", plug(mux, false), "mux power false, mux line 0, mux off", "00"},
		{"again", plug(mux, true), "mux on, mux line 1, mux power true", "10"},
		{"power lost", supply(false), "mux power false", "10"},
		{"plugged without power", plug(far, true), "far on, far line 1", "11"},
		{"power for both", supply(true), "mux power true, far power true", "11"},
	} {
		step.do()
		if got := strings.Join(log, ", "); got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
		if got := muxLine.Level().String() + farLine.Level().String(); got != step.lines {
			t.Errorf("%s: the lines are %s, want %s", step.what, got, step.lines)
		}
		log = nil
	}
}
