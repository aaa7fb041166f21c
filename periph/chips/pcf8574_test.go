package chips

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestPCF8574Probe replays pcf857x_probe of drivers/gpio/gpio-pcf857x.c, and
// then an output that goes low and high again.
func TestPCF8574Probe(t *testing.T) {
	b := powerOn(t, pcf8574, nil)
	b.edges = nil // of pulling up
	b.run("R ff", "R ff", "W fe", "R fe")
	if got := b.chip.Get("output").Int(); got != 0xfe {
		t.Errorf("output is %#x, want 0xfe", got)
	}
	b.run("W ff", "R ff")
	if diff := cmp.Diff([]string{"output=254", "p0=off", "output=255", "p0=on"}, b.changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]edge{{0, wire.Low}, {0, wire.High}}, b.edges); diff != "" {
		t.Errorf("edges: want P0's alone, and none of INT (-want +got):\n%s", diff)
	}
}

func TestPCF8574Levels(t *testing.T) {
	tests := []struct {
		name string
		do   func(*bench)
		run  []string
	}{
		{"all released", func(*bench) {}, []string{"R ff", "R ff ff"}},
		{"the outside pulls low", func(b *bench) { b.set("p3", periph.On(false)) }, []string{"R f7"}},
		{"and lets go", func(b *bench) { b.set("p3", periph.On(false)); b.set("p3", periph.On(true)) }, []string{"R ff"}},
		{"the board drives low", func(b *bench) { b.drive("p7", wire.Low) }, []string{"R 7f"}},
		{"low is stronger than what is outside", func(b *bench) { b.set("p3", periph.On(true)) }, []string{"W f7", "R f7"}},
		{"the outside stays when it is written high", func(b *bench) { b.set("p3", periph.On(false)) }, []string{"W 00", "R 00", "W ff", "R f7"}},
		{"bytes one after another", func(*bench) {}, []string{"W 00 55 aa", "R aa"}},
		{"write and read in one transaction", func(*bench) {}, []string{"W 0f R 0f 0f"}},
		{"probe", func(*bench) {}, []string{"W", "R ff"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := powerOn(t, pcf8574, nil)
			tt.do(b)
			b.run(tt.run...)
		})
	}
}

func TestPCF8574Interrupt(t *testing.T) {
	const low, high = wire.Low, wire.High
	set := func(name string, on bool) func(*bench) {
		return func(b *bench) { b.set(name, periph.On(on)) }
	}
	run := func(s ...string) func(*bench) { return func(b *bench) { b.run(s...) } }
	type step struct {
		do   func(*bench)
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
		{"the board drives", []step{{func(b *bench) { b.drive("p5", low) }, low}, {run("R df"), high}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := powerOn(t, pcf8574, nil)
			for i, s := range tt.steps {
				b.wait(time.Millisecond)
				s.do(b)
				if got := b.pins["int"].Level(); got != s.want {
					t.Errorf("after step %d: int is %s, want %s", i, got, s.want)
				}
			}
		})
	}
}

// TestPCF8574PowerOn checks that a pin which is low from the start is told, as
// the part takes all to be high.
func TestPCF8574PowerOn(t *testing.T) {
	b := powerOn(t, pcf8574, map[string]periph.Value{"p2": periph.On(false)})
	if b.pins["int"].Level() != wire.Low {
		t.Error("int is high")
	}
	if b.chip.Get("p2").Bool() {
		t.Error("p2 is on")
	}
	b.run("R fb")
	if b.pins["int"].Level() != wire.High {
		t.Error("int is low after a read")
	}
}
