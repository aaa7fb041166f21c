package regmap

import (
	"testing"

	"backplane/simbus/wire"
)

func TestThreshold(t *testing.T) {
	limit := func(v float64) *float64 { return &v }
	set := func(v float64) func(*bench) { return func(b *bench) { b.set("temperature", v) } }
	run := func(text string) func(*bench) { return func(b *bench) { b.run(text) } }
	type step struct {
		do   func(*bench)
		want wire.Level
	}
	const low, high = wire.Low, wire.High
	tests := []struct {
		name       string
		thresholds []Threshold
		steps      []step
	}{
		{"above", []Threshold{{Above: limit(30)}},
			[]step{{set(30), low}, {set(30.5), high}, {set(30), low}}},
		{"below", []Threshold{{Below: limit(10)}},
			[]step{{set(10), low}, {set(9.5), high}, {set(10), low}}},
		{"above with hysteresis", []Threshold{{Above: limit(30), Hysteresis: 5}},
			[]step{{set(29), low}, {set(31), high}, {set(26), high}, {set(25), low}, {set(29), low}}},
		{"below with hysteresis", []Threshold{{Below: limit(10), Hysteresis: 5}},
			[]step{{set(11), low}, {set(9), high}, {set(14), high}, {set(15), low}}},
		{"window", []Threshold{{Above: limit(30), Below: limit(10)}},
			[]step{{set(20), low}, {set(31), high}, {set(5), high}, {set(20), low}}},
		{"active low", []Threshold{{Above: limit(30), ActiveLow: true}},
			[]step{{set(20), high}, {set(31), low}}},
		{"open drain", []Threshold{{Above: limit(30), ActiveLow: true, OpenDrain: true}},
			[]step{{set(20), high}, {set(31), low}}},
		{"register", []Threshold{{AboveRegister: "limit"}}, // 80 °C at power-on
			[]step{{set(80), low}, {set(81), high}, {run("W 02 60 00"), low}, {run("W 02 19 00"), high}}},
		{"below a register", []Threshold{{BelowRegister: "limit"}},
			[]step{{set(81), low}, {set(79), high}}},
		{"latched until read", []Threshold{{Above: limit(30), Latch: true}},
			[]step{{set(31), high}, {set(20), high}, {run("W 01 R 40"), high}, {run("W 00 R 14 00"), low}}},
		{"latched and still above", []Threshold{{Above: limit(30), Latch: true}},
			[]step{{set(31), high}, {run("W 00 R 1f 00"), high}, {set(20), high}, {run("R 40"), high}, {run("W 00 R 14 00"), low}}},
		{"two on a pin", []Threshold{{Above: limit(30)}, {Below: limit(10)}},
			[]step{{set(20), low}, {set(31), high}, {set(5), high}, {set(20), low}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := thermometer()
			for _, th := range tt.thresholds {
				th.Pin, th.Property = "alert", "temperature"
				m.Threshold = append(m.Threshold, th)
			}
			b := powerOn(t, m, nil)
			for i, s := range tt.steps {
				s.do(b)
				if got := b.wires["alert"].Level(); got != s.want {
					t.Errorf("step %d: alert is %v, want %v", i+1, got, s.want)
				}
			}
		})
	}
}

func TestThresholdSharesLine(t *testing.T) {
	above := 30.0
	m := thermometer()
	m.Threshold = []Threshold{{Pin: "alert", Property: "temperature", Above: &above, ActiveLow: true, OpenDrain: true}}
	b := powerOn(t, m, nil)
	other := b.wires["alert"].NewPin("other")
	b.wires["alert"].OnConflict = func(high, low *wire.Pin) { t.Errorf("%s drives against %s", high.Name, low.Name) }
	other.Drive(wire.DriveLow)
	if got := b.wires["alert"].Level(); got != wire.Low {
		t.Errorf("alert is %v while another part holds it low", got)
	}
	b.set("temperature", 31)
	other.Drive(wire.Float)
	if got := b.wires["alert"].Level(); got != wire.Low {
		t.Errorf("alert is %v above the limit, want 0", got)
	}
}
