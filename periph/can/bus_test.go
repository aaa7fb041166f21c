package can_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/can"
	"backplane/simbus"

	"github.com/google/go-cmp/cmp"
)

// TestBusConfig finds what a bus cannot be.
func TestBusConfig(t *testing.T) {
	slow, fast, other := &can.Config{Bitrate: 250_000}, &can.Config{Bitrate: 250_000, DataBitrate: 2_000_000}, &can.Config{Bitrate: 250_000, DataBitrate: 1_000_000}
	for name, c := range map[string]struct {
		config can.BusConfig
		ports  []any
		want   []string
	}{
		"good":          {can.BusConfig{ErrorRate: 0.5, Port: []can.PortConfig{{Name: "b1.can0", ErrorRate: 1}}}, []any{fast, slow, fast}, nil},
		"alone":         {can.BusConfig{}, []any{slow}, []string{"ports: a CAN bus with 1 ports: it takes two for a frame to be acknowledged"}},
		"bit rates":     {can.BusConfig{}, []any{slow, &can.Config{Bitrate: 500_000}}, []string{"ports[1]: b0.can0 has 250000 bit/s and b1.can0 has 500000: on one bus they must be the same"}},
		"data phases":   {can.BusConfig{}, []any{slow, fast, other}, []string{"ports[2]: b1.can0 has a data phase of 2000000 bit/s and b2.can0 one of 1000000: on one bus they must be the same"}},
		"no such port":  {can.BusConfig{}, []any{slow, nil}, nil},
		"unknown table": {can.BusConfig{Port: []can.PortConfig{{Name: "b7.can0"}}}, []any{slow, slow}, []string{`port[0].name: the bus has no port "b7.can0": did you mean "b0.can0"?`}},
		"two tables":    {can.BusConfig{Port: []can.PortConfig{{Name: "b0.can0"}, {Name: "b0.can0"}}}, []any{slow, slow}, []string{"port[1].name: b0.can0 already has a table"}},
		"rates":         {can.BusConfig{ErrorRate: 2, Port: []can.PortConfig{{Name: "b0.can0", ErrorRate: -1}}}, []any{slow, slow}, []string{"error_rate: error_rate is 2; it must be 0 to 1", "port[0].error_rate: error_rate is -1; it must be 0 to 1"}},
	} {
		for i := range c.ports {
			c.config.Ports = append(c.config.Ports, fmt.Sprintf("b%d.can0", i))
		}
		ends := c.config.Ends()
		for i := range ends {
			ends[i].Config = c.ports[i]
		}
		var got []string
		c.config.Check(func(key, format string, args ...any) { got = append(got, key+": "+fmt.Sprintf(format, args...)) }, ends)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var got []string
	for _, c := range []can.Config{{Bitrate: 500_000}, {Bitrate: 4_999}, {Bitrate: 1_000_001}, {Bitrate: 500_000, DataBitrate: 499_999}, {Bitrate: 500_000, DataBitrate: 8_000_001}} {
		c.Check(func(key, format string, args ...any) { got = append(got, key) })
	}
	same(t, "ports", got, "bitrate", "bitrate", "data_bitrate", "data_bitrate")
}

// segment is a bus of an appliance, with the controllers of two boards on it.
func segment(t *testing.T) (*bench, periph.Segment) {
	t.Helper()
	b := newBench(t, timing, timing)
	var ends []periph.Joint
	config := can.BusConfig{Ports: []string{"a.can0", "b.can0"}, Port: []can.PortConfig{{Name: "b.can0", ErrorRate: 0.25}}}
	for i, end := range config.Ends() {
		b.bus.Leave(b.dev[i].Port())
		ends = append(ends, periph.Joint{LinkEnd: end, Domain: b.dom, Socket: b.dev[i].Socket("")})
	}
	link, err := config.Build(&periph.LinkEnv{Name: "bus", Calendar: b.cal, Seed: 1}, ends)
	if err != nil {
		t.Fatal(err)
	}
	s := link.(periph.Segment)
	for _, place := range []string{"", "a.can0"} {
		for _, spec := range config.Specs(place, "") {
			if text := spec.Format(s.At(place, "").Get(spec.Name)); text == "" {
				t.Errorf("%s of %q is nothing", spec.Name, place)
			}
		}
	}
	return b, s
}

// TestProperties sets and reads those of a bus, and sees that they do something.
func TestProperties(t *testing.T) {
	b, s := segment(t)
	b.up()
	get := func(place, name string) periph.Value { return s.At(place, "").Get(name) }
	set := func(place, name string, v periph.Value) {
		if err := s.At(place, "").Set(name, v); err != nil {
			t.Error(err)
		}
	}
	if got := get("b.can0", "error_rate").Float(); got != 0.25 {
		t.Errorf("the error rate of a port is %g, want that of its table", got)
	}
	set("b.can0", "error_rate", periph.Num(0))
	set("", "error_rate", periph.Num(1))
	b.dom.Do(func() { b.drv[0].Send("123#") })
	b.advance(500 * time.Microsecond)
	if tec, errors := get("a.can0", "tec").Int(), get("", "errors").Int(); errors == 0 || tec != 8*errors {
		t.Errorf("TEC %d after %d errors", tec, errors)
	}
	set("", "error_rate", periph.Num(0))
	b.advance(time.Millisecond)
	if n := get("", "frames").Int(); n != 1 {
		t.Errorf("%d frames, want 1", n)
	}
	set("a.can0", "tec", periph.Num(256))
	if got := get("a.can0", "state").Text(); got != "bus-off" || b.dev[0].Config()[0] != 1 {
		t.Errorf("with a TEC of 256 the port is %s, status %d", got, b.dev[0].Config()[0])
	}
	set("b.can0", "rec", periph.Num(128))
	if got := get("b.can0", "state").Text(); got != "error-passive" {
		t.Errorf("with a REC of 128 the port is %s", got)
	}
	set("", "dominant", periph.On(true))
	set("b.can0", "rec", periph.Num(0))
	b.advance(time.Second)
	if rec := get("b.can0", "rec").Int(); rec != 129 || !get("", "dominant").Bool() {
		t.Errorf("REC %d on a bus that is held dominant", rec)
	}
}

// TestCut: a port that is cut hears nothing, nor do others hear it; nor does any on a bus
// that is. What was cut by itself stays so.
func TestCut(t *testing.T) {
	b, s := segment(t)
	if err := s.At("b.can0", "").Set("error_rate", periph.Num(0)); err != nil {
		t.Fatal(err)
	}
	b.up()
	b.advance(time.Millisecond)
	try := func(what string, want int) {
		t.Helper()
		b.dom.Do(func() { b.drv[0].Send("123#") })
		b.advance(time.Millisecond)
		if got := len(b.drv[1].Received()); got != want {
			t.Errorf("%s: %d frames arrive, want %d", what, got, want)
		}
	}
	try("whole", 1)
	s.Cut("b.can0", true)
	try("a port cut", 0)
	s.Cut("", true)
	s.Cut("b.can0", false)
	b.advance(time.Millisecond)
	if got := s.At("b.can0", "").Get(periph.LinkState).Text() + s.At("", "").Get(periph.LinkState).Text(); got != "updown" {
		t.Errorf("port and bus are %s", got)
	}
	s.Cut("", false)
	b.advance(time.Millisecond)
	if got := len(b.drv[1].Received()); got != 1 {
		t.Errorf("the frame that waits arrives %d times", got)
	}
	try("whole again", 1)
}

// TestTap shows frames and errors as Linux has them, at the bus and at both of its ports.
func TestTap(t *testing.T) {
	b, s := segment(t)
	if err := s.At("b.can0", "").Set("error_rate", periph.Num(0)); err != nil {
		t.Fatal(err)
	}
	b.up()
	b.advance(time.Millisecond)
	var got []string
	var remove []func()
	for _, place := range []string{"", "a.can0", "b.can0"} {
		remove = append(remove, s.Tap(place, func(at simbus.Time, from string, arrives bool, frame []byte, length int) {
			got = append(got, fmt.Sprintf("%s: from %s %t %x %d", place, from, arrives, frame, length))
		}))
	}
	b.dom.Do(func() { b.drv[0].Send("12345678##0AABBCC") })
	b.advance(time.Millisecond)
	const frame = "9234567803050000aabbcc 11"
	same(t, "taps", got, ": from a.can0 false "+frame, "a.can0: from a.can0 false "+frame, "b.can0: from a.can0 true "+frame)
	got = nil
	if err := s.At("", "").Set("error_rate", periph.Num(1)); err != nil {
		t.Fatal(err)
	}
	b.dom.Do(func() { b.drv[0].Send("123#") })
	b.advance(200 * time.Microsecond)
	const bitError = "2000008808000000000081000000" + "0000 16"
	if !slices.Contains(got, ": from a.can0 false "+bitError) {
		t.Errorf("an error is shown as %q", got)
	}
	for _, f := range remove {
		f()
	}
	got = nil
	b.advance(100 * time.Millisecond)
	same(t, "taps that were removed", got)
}
