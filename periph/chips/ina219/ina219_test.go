package ina219

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
)

const conversionTime = 2 * 532 * time.Microsecond // shunt and bus with 12 bits

// TestProbe replays what ina2xx_init and reads of hwmon files of
// drivers/hwmon/ina2xx.c do.
func TestProbe(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil) // 5 V, 0.1 A, 0.1 ohm
	b.Run("W 00 39 9f", "W 05 10 00")
	b.Wait(time.Second)
	b.Run(
		"W 01 R 03 e8", // in0_input: 1000 * 10 uV = 10 mV
		"W 02 R 27 12", // in1_input: 1250 * 4 mV = 5 V, converted
		"W 03 R 00 fa", // power1_input: 250 * 2 mW = 0.5 W
		"W 04 R 03 e8", // 1000 * 100 uA = 0.1 A
		"W 02 R 27 10", // reading power has cleared CNVR
	)
}

func TestConversion(t *testing.T) {
	num := periph.Num
	tests := []struct {
		name             string
		voltage, current float64
		setup            []string
		wait             time.Duration
		want             []string
	}{
		{"before the first conversion", 5, 0.1, nil, conversionTime - 1, []string{"W 01 R 00 00", "W 02 R 00 00"}},
		{"after the first conversion", 5, 0.1, nil, conversionTime, []string{"W 01 R 03 e8", "W 02 R 27 12"}},
		{"uncalibrated", 5, 0.1, nil, time.Second, []string{"W 04 R 00 00", "W 03 R 00 00"}},
		{"example of the data sheet", 11.98, 0.2, []string{"W 05 50 00"}, time.Second, []string{"W 01 R 07 d0", "W 02 R 5d 9a", "W 04 R 27 10", "W 03 R 17 66"}},
		{"current flows back", 5, -0.1, []string{"W 05 10 00"}, time.Second, []string{"W 01 R fc 18", "W 04 R fc 18", "W 03 R 00 fa"}},
		{"PGA /8 saturates at 320 mV", 5, 3.2, nil, time.Second, []string{"W 01 R 7d 00"}},
		{"PGA /1 saturates at 40 mV", 5, 3.2, []string{"W 00 21 9f"}, time.Second, []string{"W 01 R 0f a0"}},
		{"PGA /2 saturates at -80 mV", 5, -3.2, []string{"W 00 29 9f"}, time.Second, []string{"W 01 R e0 c0"}},
		{"BRNG set: 32 V", 26, 0.1, nil, time.Second, []string{"W 02 R cb 22"}},
		{"BRNG clear: saturates at 16 V", 26, 0.1, []string{"W 00 19 9f"}, time.Second, []string{"W 02 R 7d 02"}},
		{"current overflows", 5, 3.2, []string{"W 05 ff ff"}, time.Second, []string{"W 04 R 7f ff", "W 02 R 27 13", "W 05 R ff fe"}},
		{"power overflows", 26, 3.2, []string{"W 05 20 00"}, time.Second, []string{"W 04 R 7f ff", "W 02 R cb 23"}},
		{"averages of 128 samples take longer", 5, 0.1, []string{"W 00 3f ff"}, 136 * time.Millisecond, []string{"W 01 R 00 00"}},
		{"averages of 128 samples have ended", 5, 0.1, []string{"W 00 3f ff"}, 137 * time.Millisecond, []string{"W 01 R 03 e8"}},
		{"bus only", 5, 0.1, []string{"W 00 39 9e"}, 532 * time.Microsecond, []string{"W 01 R 00 00", "W 02 R 27 12"}},
		{"power-down", 5, 0.1, []string{"W 00 39 98"}, time.Second, []string{"W 02 R 00 00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, map[string]periph.Value{"voltage": num(tt.voltage), "current": num(tt.current)})
			b.Run(tt.setup...)
			b.Wait(tt.wait)
			b.Run(tt.want...)
		})
	}
}

func TestTriggered(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Run("W 00 39 9b") // shunt and bus, triggered
	b.Wait(time.Second)
	b.Run("W 02 R 27 12")
	b.Set("voltage", periph.Num(6))
	b.Wait(time.Second)
	b.Run("W 02 R 27 12", "W 00 39 9b", "W 02 R 27 10") // the trigger clears CNVR
	b.Wait(time.Second)
	b.Run("W 02 R 2e e2")
}

// TestSampling checks that a change reaches the registers with the next
// conversion, and that one which ended before it shows what was then.
func TestSampling(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Wait(conversionTime)
	b.Set("voltage", periph.Num(6))
	b.Run("W 02 R 27 12")
	b.Wait(conversionTime)
	b.Run("W 02 R 2e e2")
	if got := b.Chip.Get("voltage").Float(); got != 6 {
		t.Errorf("voltage is %g, want 6", got)
	}
}

func TestRegisters(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Run(
		"W 00 R 39 9f",
		"W",                     // SMBus Quick
		"W 05 12 34", "R 12 34", // the pointer stays
		"W 05 56", "W 05 R 12 34 ff", // half a register does nothing
		"W 01 12 34", "W 01 R 00 00", // read only
		"W 09 R 00 00",               // no such register
		"W 00 80 00", "W 05 R 00 00", // RST
		"W 00 R 39 9f",
	)
}

func TestNode(t *testing.T) {
	node := Model.Node(&periph.Options{Values: map[string]periph.Value{"shunt_ohms": periph.Num(0.01)}})
	if got := node.Properties[0].Value; got != uint32(10000) {
		t.Errorf("shunt-resistor is %v, want 10000 uOhm", got)
	}
}
