package mcp23017

import (
	"testing"

	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestRegisters reads and writes as drivers/pinctrl/pinctrl-mcp23s08.c does, two
// ports at a time, and as programs do with banks.
func TestRegisters(t *testing.T) {
	for name, transactions := range map[string][]string{
		"power-on state":                       {"W 00 R ff ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", "R ff"}, // it begins again
		"IOCON is one for both ports":          {"W 0b 44", "W 0a R 44 44"},
		"bit 0 of IOCON is 0":                  {"W 0a 45", "W 0a R 44"},
		"a pair":                               {"W 00 fe ef", "W 00 R fe ef 00"},
		"the latch, by GPIO":                   {"W 12 a5 5a", "W 14 R a5 5a"},
		"read only":                            {"W 0e ff ff ff ff", "W 0e R 00 00 00 00"},
		"byte mode goes to the other port":     {"W 0a 20", "W 00 R ff ff ff ff", "W 01 01 02 03", "W 00 R 02 03"},
		"banks":                                {"W 0a 80", "W 00 01 02 03", "W 10 R ff", "W 00 R 01 02 03 00", "W 05 R 80", "W 15 R 80", "W 0b R 00", "W 1a R 00 01"},
		"byte mode in banks stays":             {"W 0a a0", "W 00 01 02", "W 00 R 02 02"},
		"polarity":                             {"W 02 0f", "W 12 R 0f 00"},
		"outputs are read as they are":         {"W 00 00", "W 14 3c", "W 12 R 3c"},
		"pull-ups":                             {"W 0c 81 80", "W 12 R 81 80"},
		"an address that nobody has is read 0": {"W 16 R 00"},
	} {
		t.Run(name, func(t *testing.T) { chiptest.PowerOn(t, Model, nil).Run(transactions...) })
	}
}

func TestInterrupts(t *testing.T) {
	high, low := wire.High, wire.Low
	type step struct {
		do   func(b *chiptest.Bench)
		run  string
		a, b wire.Level // of INTA and INTB then
	}
	pin := func(name string, l wire.Level) func(*chiptest.Bench) {
		return func(b *chiptest.Bench) { b.Drive(name, l) }
	}
	for name, steps := range map[string][]step{
		"a change, until the port is read": {{nil, "W 04 01", high, high}, {pin("gpa0", high), "", low, high}, {pin("gpa0", low), "W 0e R 01 00", low, high},
			{nil, "W 12 R 00", high, high}, {pin("gpa0", high), "W 12 R 01", high, high}},
		"what was captured":        {{nil, "W 05 80", high, high}, {pin("gpb7", high), "", high, low}, {pin("gpb7", low), "W 11 R 80", high, high}},
		"of a pin that is not in":  {{nil, "W 04 01", high, high}, {pin("gpa1", high), "", high, high}},
		"against a default":        {{nil, "W 04 02", high, high}, {nil, "W 08 02", high, high}, {pin("gpa1", high), "", low, high}, {nil, "W 12 R 02", low, high}, {pin("gpa1", low), "W 12 R 00", high, high}},
		"mirrored":                 {{nil, "W 0a 40", high, high}, {nil, "W 04 01 01", high, high}, {pin("gpb0", high), "", low, low}, {nil, "W 13 R 01", high, high}},
		"active high":              {{nil, "W 0a 02", low, low}, {nil, "W 04 01", low, low}, {pin("gpa0", high), "", high, low}},
		"the polarity of an input": {{nil, "W 02 01", high, high}, {nil, "W 06 01", high, high}, {nil, "W 08 01", high, high}, {nil, "W 04 01", high, high}, {pin("gpa0", high), "W 10 R 00", low, high}},
	} {
		t.Run(name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			for i, s := range steps {
				if s.do != nil {
					s.do(b)
				}
				if s.run != "" {
					b.Run(s.run)
				}
				if got, want := [2]wire.Level{b.Pins["inta"].Level(), b.Pins["intb"].Level()}, [2]wire.Level{s.a, s.b}; got != want {
					t.Errorf("step %d: INTA and INTB are %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestReset: RESET puts the part into its power-on state while it is low, and it
// does not answer then.
func TestReset(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Run("W 00 00 00", "W 14 ff")
	b.Edges = nil
	b.Drive("reset", wire.Low)
	b.Run("R 00 !")
	if got := b.Pins["gpa3"].Level(); got != wire.Low {
		t.Error("an output is driven in reset")
	}
	b.Drive("reset", wire.High)
	b.Run("W 00 R ff ff", "W 14 R 00")
	if diff := cmp.Diff(wire.Float, b.Ends["gpa3"].Driving()); diff != "" {
		t.Errorf("after reset (-want +got):\n%s", diff)
	}
}
