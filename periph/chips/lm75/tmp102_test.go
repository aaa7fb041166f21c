package lm75

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// tmp102Probe is tmp102_probe of drivers/hwmon/tmp102.c, from power-on: it
// wants both resolution bits, and sets interrupt and extended mode.
var tmp102Probe = []string{"W 01 R 60 a0", "W 01 62 b0"}

func TestTMP102Probe(t *testing.T) {
	b := chiptest.PowerOn(t, TMP102, map[string]periph.Value{"temperature": periph.Num(21.5)})
	b.Run(tmp102Probe...)
	b.Run(
		"W 00 R 0a c1", // temp1_input: 172 * 0.125 = 21.5 °C, and EM
		"W 03 R 50 00", // temp1_max: the 80 °C of power-on, read in 13 bits
		"W 03 10 00", "W 03 R 10 00",
		"W 01 62 f0", "W 01 R 62 f0", // update_interval of 125 ms
		"W 01 60 a0", "W 01 R 60 80", // what remove restores; AL, as 10 00 is 16 °C in 12 bits
	)
}

func TestTMP102Temperature(t *testing.T) {
	tests := []struct {
		name        string
		temperature float64
		setup       []string
		want        string
	}{
		{"25 °C", 25, nil, "W 00 R 19 00"},
		{"0.25 °C", 0.25, nil, "W 00 R 00 40"},
		{"-0.25 °C", -0.25, nil, "W 00 R ff c0"},
		{"-55 °C", -55, nil, "W 00 R c9 00"},
		{"rounded", 25.04, nil, "W 00 R 19 10"},
		{"12 bits end at 127.9375 °C", 150, nil, "W 00 R 7f f0"},
		{"150 °C in 13 bits", 150, []string{"W 01 60 b0"}, "W 00 R 4b 01"},
		{"-55 °C in 13 bits", -55, []string{"W 01 60 b0"}, "W 00 R e4 81"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, TMP102, map[string]periph.Value{"temperature": periph.Num(tt.temperature)})
			b.Run(tt.setup...)
			b.Run(tt.want)
		})
	}
}

func TestTMP102Registers(t *testing.T) {
	tests := []struct {
		name string
		run  []string
	}{
		{"power-on", []string{"R 19 00", "W 01 R 60 a0", "W 02 R 4b 00", "W 03 R 50 00", "W"}},
		{"the pointer stays", []string{"W 03", "R 50 00", "R 50 00"}},
		{"two pointer bits", []string{"W 07 R 50 00"}},
		{"temperature is read-only", []string{"W 00 12 34", "W 00 R 19 00"}},
		{"resolution and AL are read-only", []string{"W 01 00 00", "W 01 R 60 20"}},
		{"limits have 12 bits", []string{"W 02 ff ff", "W 02 R ff f0"}},
		{"limits have 13 bits", []string{"W 01 60 b0", "W 02 ff ff", "W 02 R ff f8"}},
		{"half a limit is its upper byte", []string{"W 02 ab cd", "W 02 12", "W 02 R 12 c0", "W 03 13", "W 03 R 13 00"}},
		{"half a configuration", []string{"W 01 64", "W 01 R 64 80"}},
		{"POL turns AL over", []string{"W 01 64 a0", "W 01 R 64 80"}},
		{"OS reads 1 in shutdown", []string{"W 01 61 a0", "W 01 R e1 a0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { chiptest.PowerOn(t, TMP102, nil).Run(tt.run...) })
	}
}

// thermostatStep is something that happens to a sensor, and its output then.
type thermostatStep struct {
	run         []string
	temperature float64 // 0: as it was
	wait        time.Duration
	want        wire.Level
}

func checkThermostat(t *testing.T, m *periph.Model, pin string, steps []thermostatStep) {
	t.Helper()
	b := chiptest.PowerOn(t, m, nil)
	for i, s := range steps {
		b.Run(s.run...)
		if s.temperature != 0 {
			b.Set("temperature", periph.Num(s.temperature))
		}
		if s.wait > 0 {
			b.Wait(s.wait)
		}
		if got := b.Pins[pin].Level(); got != s.want {
			t.Errorf("after step %d %+v: %s is %s, want %s", i, s, pin, got, s.want)
		}
	}
}

func TestTMP102Alert(t *testing.T) {
	const low, high = wire.Low, wire.High
	tests := []struct {
		name  string
		steps []thermostatStep
	}{
		{"comparator", []thermostatStep{
			{temperature: 79.9, want: high}, {temperature: 80, want: low}, {temperature: 75, want: low},
			{run: []string{"W 01 R 60 80"}, want: low}, {temperature: 74.9, want: high}, {run: []string{"W 01 R 60 a0"}, want: high}}},
		{"compares what the register shows", []thermostatStep{{temperature: 79.98, want: low}}},
		{"polarity", []thermostatStep{{run: []string{"W 01 64 a0"}, want: low}, {temperature: 81, want: high}}},
		{"interrupt", []thermostatStep{
			{run: []string{"W 01 62 a0"}, want: high}, {temperature: 81, want: low},
			{run: []string{"W 00 R 51 00"}, want: high}, {temperature: 90, want: high}, {temperature: 70, want: low},
			{run: []string{"W 02 R 4b 00"}, want: high}, {temperature: 60, want: high}, {temperature: 80, want: low}}},
		{"shutdown ends an interrupt", []thermostatStep{
			{run: []string{"W 01 62 a0"}, want: high}, {temperature: 81, want: low}, {run: []string{"W 01 63 a0"}, want: high}}},
		{"shutdown keeps the comparator", []thermostatStep{
			{temperature: 81, want: low}, {run: []string{"W 01 61 a0"}, want: low}, {temperature: 20, want: low}, {run: []string{"W 01 60 a0"}, want: high}}},
		{"from interrupt back to comparator", []thermostatStep{
			{run: []string{"W 01 62 a0"}, want: high}, {temperature: 81, want: low}, {run: []string{"W 00 R 51 00"}, want: high},
			{run: []string{"W 01 60 a0"}, want: low}}},
		{"fault queue of 4 at 4 Hz", []thermostatStep{
			{run: []string{"W 01 70 80"}, want: high}, {temperature: 81, wait: 750 * time.Millisecond, want: high}, {wait: time.Nanosecond, want: low},
			{temperature: 70, wait: 750 * time.Millisecond, want: low}, {wait: time.Nanosecond, want: high}}},
		{"a fault that ends is forgotten", []thermostatStep{
			{run: []string{"W 01 68 80"}, want: high}, {temperature: 81, wait: 200 * time.Millisecond, want: high},
			{temperature: 79, wait: 10 * time.Millisecond, want: high}, {temperature: 81, wait: 240 * time.Millisecond, want: high}, {wait: 11 * time.Millisecond, want: low}}},
		{"changes do not hurry the fault queue", []thermostatStep{
			{run: []string{"W 01 78 80"}, want: high}, {temperature: 81, want: high}, {temperature: 82, want: high}, {temperature: 83, want: high},
			{temperature: 84, want: high}, {temperature: 85, want: high}, {temperature: 86, want: high}, {wait: 1250 * time.Millisecond, want: high}, {wait: 1, want: low}}},
		{"one-shot", []thermostatStep{
			{run: []string{"W 01 61 a0"}, want: high}, {temperature: 81, wait: time.Second, want: high}, {run: []string{"W 00 R 19 00"}, want: high},
			{run: []string{"W 01 e1 a0", "W 00 R 51 00", "W 01 R e1 80"}, want: low}}},
		{"one-shots fill the fault queue", []thermostatStep{
			{run: []string{"W 01 69 a0"}, want: high}, {temperature: 81, want: high}, {run: []string{"W 01 e9 a0"}, wait: time.Minute, want: high},
			{run: []string{"W 01 e9 a0"}, want: low}}},
		{"limits", []thermostatStep{{run: []string{"W 02 14 00", "W 03 18 00"}, want: low}, {run: []string{"W 03 50 00", "W 02 20 00"}, want: high}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkThermostat(t, TMP102, "alert", tt.steps) })
	}
}

// TestTMP102FaultTimes checks the four conversion rates by a queue of two.
func TestTMP102FaultTimes(t *testing.T) {
	tests := []struct {
		name, config string
		period       time.Duration
	}{
		{"0.25 Hz", "W 01 68 20", 4 * time.Second}, {"1 Hz", "W 01 68 60", time.Second},
		{"4 Hz", "W 01 68 a0", 250 * time.Millisecond}, {"8 Hz", "W 01 68 e0", 125 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, TMP102, nil)
			b.Run(tt.config)
			b.Edges = nil
			b.Set("temperature", periph.Num(100))
			b.Wait(time.Minute)
			if diff := cmp.Diff([]chiptest.Edge{{After: tt.period, Level: wire.Low}}, b.Edges); diff != "" {
				t.Errorf("edges (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTMP102PowerWorld checks that what the outside sets without power is there when it is back.
func TestTMP102PowerWorld(t *testing.T) {
	b := chiptest.PowerOn(t, TMP102, nil)
	b.Run("W 01 61 a0") // shut down
	b.Power(false)
	b.Set("temperature", periph.Num(60))
	if got := b.Ends["alert"].Driving(); got != wire.Float {
		t.Errorf("alert does %d without power", got)
	}
	b.Power(true)
	b.Run("W 01 R 60 a0", "W 00 R 3c 00")
}
