package lm75

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"
)

// TestLM75Probe replays lm75_generic_probe of drivers/hwmon/lm75.c, which
// writes nothing as the configuration is what it wants, and reads of its files.
func TestLM75Probe(t *testing.T) {
	b := chiptest.PowerOn(t, LM75, map[string]periph.Value{"temperature": periph.Num(-10.5)})
	b.Run(
		"W 01 R 00",
		"W 00 R f5 80", // temp1_input: -21 half degrees
		"W 03 R 50 00", "W 02 R 4b 00",
		"W 03 1e 00", "W 03 R 1e 00", // temp1_max of 30 °C
	)
}

func TestLM75Registers(t *testing.T) {
	tests := []struct {
		name        string
		temperature float64
		run         []string
	}{
		{"power-on", 25, []string{"R 19 00", "W 01 R 00", "W 02 R 4b 00", "W 03 R 50 00", "W"}},
		{"125 °C", 125, []string{"W 00 R 7d 00"}},
		{"0.5 °C", 0.5, []string{"W 00 R 00 80"}},
		{"-0.5 °C", -0.5, []string{"W 00 R ff 80"}},
		{"-55 °C", -55, []string{"W 00 R c9 00"}},
		{"rounded", 24.8, []string{"W 00 R 19 00"}},
		{"the pointer stays", 25, []string{"W 03", "R 50 00"}},
		{"reserved configuration bits", 25, []string{"W 01 ff", "W 01 R 1f"}},
		{"limits have nine bits", 25, []string{"W 02 12 ff", "W 02 R 12 80"}},
		{"half a limit does nothing", 25, []string{"W 02 12", "W 02 R 4b 00"}},
		{"temperature is read-only", 25, []string{"W 00 12 34", "W 00 R 19 00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chiptest.PowerOn(t, LM75, map[string]periph.Value{"temperature": periph.Num(tt.temperature)}).Run(tt.run...)
		})
	}
}

func TestLM75Output(t *testing.T) {
	const low, high = wire.Low, wire.High
	tests := []struct {
		name  string
		steps []thermostatStep
	}{
		{"comparator", []thermostatStep{{temperature: 80, want: high}, {temperature: 80.5, want: low}, {temperature: 75, want: low}, {temperature: 74.5, want: high}}},
		{"polarity", []thermostatStep{{run: []string{"W 01 04"}, want: low}, {temperature: 81, want: high}}},
		{"interrupt", []thermostatStep{{run: []string{"W 01 02"}, want: high}, {temperature: 81, want: low}, {run: []string{"W 00 R 51 00"}, want: high},
			{temperature: 90, want: high}, {temperature: 70, want: low}, {run: []string{"W 01 R 02"}, want: high}}},
		{"shutdown ends an interrupt", []thermostatStep{{run: []string{"W 01 02"}, want: high}, {temperature: 81, want: low}, {run: []string{"W 01 03"}, want: high}}},
		{"shutdown stops converting", []thermostatStep{{run: []string{"W 01 01"}, want: high}, {temperature: 81, want: high}, {run: []string{"W 00 R 19 00"}, want: high},
			{run: []string{"W 01 00", "W 00 R 51 00"}, want: low}}},
		{"fault queue of 6", []thermostatStep{{run: []string{"W 01 18"}, want: high}, {temperature: 81, wait: 500 * time.Millisecond, want: high}, {wait: 1, want: low}}},
		{"changes do not hurry the fault queue", []thermostatStep{{run: []string{"W 01 08"}, want: high}, {temperature: 81, want: high},
			{temperature: 82, wait: 100 * time.Millisecond, want: high}, {wait: 1, want: low}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkThermostat(t, LM75, "os", tt.steps) })
	}
}
