package pcf8574

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestProbe replays pcf857x_probe of drivers/gpio/gpio-pcf857x.c, and
// then an output that goes low and high again.
func TestProbe(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Edges = nil // of pulling up
	b.Run("R ff", "R ff", "W fe", "R fe")
	if got := b.Chip.Get("output").Int(); got != 0xfe {
		t.Errorf("output is %#x, want 0xfe", got)
	}
	b.Run("W ff", "R ff")
	if diff := cmp.Diff([]string{"output=254", "p0=off", "output=255", "p0=on"}, b.Changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]chiptest.Edge{{After: 0, Level: wire.Low}, {After: 0, Level: wire.High}}, b.Edges); diff != "" {
		t.Errorf("edges: want P0's alone, and none of INT (-want +got):\n%s", diff)
	}
}

func TestLevels(t *testing.T) {
	tests := []struct {
		name string
		do   func(*chiptest.Bench)
		run  []string
	}{
		{"all released", func(*chiptest.Bench) {}, []string{"R ff", "R ff ff"}},
		{"the outside pulls low", func(b *chiptest.Bench) { b.Set("p3", periph.On(false)) }, []string{"R f7"}},
		{"and lets go", func(b *chiptest.Bench) { b.Set("p3", periph.On(false)); b.Set("p3", periph.On(true)) }, []string{"R ff"}},
		{"the board drives low", func(b *chiptest.Bench) { b.Drive("p7", wire.Low) }, []string{"R 7f"}},
		{"low is stronger than what is outside", func(b *chiptest.Bench) { b.Set("p3", periph.On(true)) }, []string{"W f7", "R f7"}},
		{"the outside stays when it is written high", func(b *chiptest.Bench) { b.Set("p3", periph.On(false)) }, []string{"W 00", "R 00", "W ff", "R f7"}},
		{"bytes one after another", func(*chiptest.Bench) {}, []string{"W 00 55 aa", "R aa"}},
		{"write and read in one transaction", func(*chiptest.Bench) {}, []string{"W 0f R 0f 0f"}},
		{"probe", func(*chiptest.Bench) {}, []string{"W", "R ff"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			tt.do(b)
			b.Run(tt.run...)
		})
	}
}

func TestInterrupt(t *testing.T) {
	const low, high = wire.Low, wire.High
	set := func(name string, on bool) func(*chiptest.Bench) {
		return func(b *chiptest.Bench) { b.Set(name, periph.On(on)) }
	}
	run := func(s ...string) func(*chiptest.Bench) { return func(b *chiptest.Bench) { b.Run(s...) } }
	type step struct {
		do   func(*chiptest.Bench)
		want wire.Level
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"until a read", []step{{set("p0", false), low}, {run("R fe"), high}, {set("p0", true), low}, {run("R ff"), high}}},
		{"until a write", []step{{set("p0", false), low}, {run("W ff"), high}, {set("p0", true), low}}},
		{"until it is as before", []step{{set("p0", false), low}, {set("p0", true), high}}},
		{"a probe is no write", []step{{set("p0", false), low}, {run("W"), low}}},
		{"an output is no input", []step{{run("W fe"), high}, {set("p0", false), high}, {set("p1", false), low}}},
		{"an output that becomes an input", []step{{run("W fe"), high}, {run("W ff"), high}, {set("p0", false), low}}},
		{"the board drives", []step{{func(b *chiptest.Bench) { b.Drive("p5", low) }, low}, {run("R df"), high}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			for i, s := range tt.steps {
				b.Wait(time.Millisecond)
				s.do(b)
				if got := b.Pins["int"].Level(); got != s.want {
					t.Errorf("after step %d: int is %s, want %s", i, got, s.want)
				}
			}
		})
	}
}

// TestPowerOn checks that a pin which is low from the start is told, as
// the part takes all to be high.
func TestPowerOn(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"p2": periph.On(false)})
	if b.Pins["int"].Level() != wire.Low {
		t.Error("int is high")
	}
	if b.Chip.Get("p2").Bool() {
		t.Error("p2 is on")
	}
	b.Run("R fb")
	if b.Pins["int"].Level() != wire.High {
		t.Error("int is low after a read")
	}
}
