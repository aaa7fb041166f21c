package led

import (
	"testing"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

func TestLED(t *testing.T) {
	tests := []struct {
		name      string
		activeLow bool
		drive     []wire.Level
		want      []string
	}{
		{"nothing drives it", false, nil, nil},
		{"active low and nothing drives it", true, nil, nil},
		{"on and off", false, []wire.Level{wire.High, wire.Low}, []string{"lit=on", "lit=off"}},
		{"active low", true, []wire.Level{wire.High, wire.Low, wire.High}, []string{"lit=on", "lit=off"}},
		{"the same level again", false, []wire.Level{wire.High, wire.High}, []string{"lit=on"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, map[string]periph.Value{"active_low": periph.On(tt.activeLow)})
			if b.Chip.Get("lit").Bool() {
				t.Error("it is lit at power-on")
			}
			for _, l := range tt.drive {
				b.Drive("in", l)
			}
			if diff := cmp.Diff(tt.want, b.Changed); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if lit := len(tt.want) > 0 && tt.want[len(tt.want)-1] == "lit=on"; b.Chip.Get("lit").Bool() != lit {
				t.Errorf("lit is %v, want %v", !lit, lit)
			}
		})
	}
}

func TestCannotBeSet(t *testing.T) {
	if err := chiptest.PowerOn(t, Model, nil).Chip.Set("lit", periph.On(true)); err == nil {
		t.Error("lit could be set")
	}
}

// TestPower: an LED between supply and line is dark without supply.
func TestPower(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"active_low": periph.On(true)})
	b.Drive("in", wire.Low)
	b.Power(false)
	if diff := cmp.Diff([]string{"lit=on", "lit=off"}, b.Changed); diff != "" {
		t.Errorf("an LED between supply and line (-want +got):\n%s", diff)
	}
}
