package gpio_test

import (
	"encoding/binary"
	"testing"

	"backplane/periph/gpio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// Message types, directions and interrupt types of virtio 1.2 section 5.18.
const (
	getNames, getDirection, setDirection, getValue, setValue, irqType = 1, 2, 3, 4, 5, 6
	out, in                                                           = 1, 2
	rising, falling, both, high, low                                  = 1, 2, 3, 4, 8
)

func request(kind, line uint16, value uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, line)
	return binary.LittleEndian.AppendUint32(b, value)
}

func start(t *testing.T, names ...string) (*gpio.Controller, *virtiotest.Driver) {
	t.Helper()
	c := gpio.New("gpio0", names)
	return c, virtiotest.Start(t, c, 8, 0)
}

func TestLinesInAndOut(t *testing.T) {
	c, d := start(t, "led", "", "button")
	do := func(kind, line uint16, value uint32) []byte { return d.Do(t, 0, request(kind, line, value), 2) }
	if diff := cmp.Diff("\x00led\x00\x00button\x00", string(d.Do(t, 0, request(getNames, 0, 0), 13))); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	outside := c.Line(2).NewPin("outside")
	for _, step := range []struct {
		name       string
		kind, line uint16
		value      uint32
		want       string
		level      wire.Level // of line 0 afterwards
		drive      wire.Drive // of the outside on line 2 before
	}{
		{"unused", getDirection, 0, 0, "\x00\x00", false, wire.Float},
		{"value before direction", setValue, 0, 1, "\x00\x00", false, wire.Float},
		{"output takes it", setDirection, 0, out, "\x00\x00", true, wire.Float},
		{"output low", setValue, 0, 0, "\x00\x00", false, wire.Float},
		{"its direction", getDirection, 0, 0, "\x00\x01", false, wire.Float},
		{"input", setDirection, 2, in, "\x00\x00", false, wire.Float},
		{"input reads low", getValue, 2, 0, "\x00\x00", false, wire.Float},
		{"input reads high", getValue, 2, 0, "\x00\x01", false, wire.DriveHigh},
		{"a line that there is not", getValue, 3, 0, "\x01\x00", false, wire.Float},
		{"no such message", 9, 0, 0, "\x01\x00", false, wire.Float},
		{"no such direction", setDirection, 0, 7, "\x01\x00", false, wire.Float},
	} {
		outside.Drive(step.drive)
		if got := string(do(step.kind, step.line, step.value)); got != step.want || c.Line(0).Level() != step.level {
			t.Errorf("%s: answer %q, line %s, want %q, %s", step.name, got, c.Line(0).Level(), step.want, step.level)
		}
	}
	if d.Failure != nil {
		t.Error(d.Failure)
	}
}

// TestInterrupts plays levels on a line and looks which are told.
func TestInterrupts(t *testing.T) {
	tests := []struct {
		name   string
		kind   uint32
		levels string // the line begins low
		want   int    // interrupts, with the buffer queued anew after each
	}{
		{"rising", rising, "1010", 2},
		{"falling", falling, "1010", 2},
		{"both", both, "1010", 4},
		{"rising, none", rising, "0000", 0},
		{"level high, which stays", high, "1", 3},
		{"level low, none", low, "1111", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, d := start(t, "a")
			outside := c.Line(0).NewPin("outside")
			outside.Drive(wire.DriveLow)
			d.Do(t, 0, request(setDirection, 0, in), 2)
			if tt.kind == low {
				outside.Drive(wire.DriveHigh)
			}
			d.Do(t, 0, request(irqType, 0, tt.kind), 2)
			got := 0
			arm := func() {
				d.Rings[1].Add([][]byte{{0, 0}}, []int{1})
				d.Kick(1)
			}
			arm()
			for _, l := range tt.levels {
				outside.Drive(wire.Level(l == '1').Strong())
				for range 3 { // a level that stays interrupts again and again: three times are looked at
					r := d.Rings[1].Results()
					if len(r) == 0 {
						break
					}
					if string(r[0].Bytes()) != "\x01" {
						t.Fatalf("an interrupt of status %x", r[0].Bytes())
					}
					got++
					arm()
				}
			}
			if got != tt.want {
				t.Errorf("%d interrupts, want %d", got, tt.want)
			}
		})
	}
}

// TestEdgeWhileMasked: an edge that comes before the buffer is told when it is queued.
func TestEdgeWhileMasked(t *testing.T) {
	c, d := start(t, "a")
	outside := c.Line(0).NewPin("outside")
	d.Do(t, 0, request(irqType, 0, rising), 2)
	outside.Drive(wire.DriveHigh)
	if len(d.Rings[1].Results()) != 0 {
		t.Fatal("an interrupt without a buffer")
	}
	d.Rings[1].Add([][]byte{{0, 0}}, []int{1})
	d.Kick(1)
	if r := d.Rings[1].Results(); len(r) != 1 {
		t.Errorf("%d interrupts for the edge that had come, want 1", len(r))
	}
	// Disabling returns the buffer unused.
	d.Rings[1].Add([][]byte{{0, 0}}, []int{1})
	d.Kick(1)
	d.Do(t, 0, request(irqType, 0, 0), 2)
	if r := d.Rings[1].Results(); len(r) != 1 || string(r[0].Bytes()) != "\x00" {
		t.Errorf("disabled: %v, want the buffer back with status 0", r)
	}
}

func TestHostileEventBuffers(t *testing.T) {
	for name, b := range map[string][]byte{"line that there is not": {9, 0}, "short": {0}, "long": {0, 0, 0}} {
		_, d := start(t, "a")
		d.Rings[1].Add([][]byte{b}, []int{1})
		d.Kick(1)
		if d.Failure == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
