package pca9685

import (
	"math"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"

	"github.com/google/go-cmp/cmp"
)

// probe is pca9685_pwm_probe of drivers/pwm/pwm-pca9685.c with runtime
// power management, from power-on.
var probe = []string{
	"W 01 04",          // MODE2
	"W 00 R 11",        // MODE1
	"W 00 30",          // auto-increment, no all-call
	"W fa 00 10 00 10", // ALL_LED: off
	"W 00 R 30",        // to sleep, where it is already
}

// TestProbe replays the probe and then what writing 1000000 to period,
// 250000 to duty_cycle and 1 to enable of channel 3 in sysfs does.
func TestProbe(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Run(probe...)
	b.Run("W 00 R 30", "W 00 20") // resume
	b.Wait(500 * time.Microsecond)
	b.Run(
		"W 12 R 00 10 00 10", "W fe R 1e",
		"W 00 R 20", "W 00 30", "W fe 05", "W 00 R 30", "W 00 20",
	)
	b.Wait(500 * time.Microsecond)
	b.Run("W 12 00 00 11 04") // 250000 ns of 240 ns: 1041 steps
	want := []string{"frequency=1017.2526041666666", "duty3=0.254150390625"}
	if diff := cmp.Diff(want, b.Changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got := b.Chip.Get("duty3").Float(); got != 1041./4096 {
		t.Errorf("duty3 is %g, want 1041/4096", got)
	}
}

func TestRegisters(t *testing.T) {
	tests := []struct {
		name string
		run  []string
	}{
		{"power-on", []string{
			"W 00 R 11", "W 01 R 04", "W 02 R e2", "W 03 R e4", "W 04 R e8", "W 05 R e0",
			"W 06 R 00", "W 07 R 00", "W 08 R 00", "W 09 R 10", "W 45 R 10", "W fe R 1e", "W"}},
		{"without auto-increment", []string{"W 06 12", "W 06 R 12 12", "R 12"}},
		{"auto-increment", []string{"W 00 31", "W 06 12 03 34 05", "W 06 R 12 03 34 05 00"}},
		{"from the last LED register to MODE1", []string{"W 00 31", "W 45 R 10 31 04"}},
		{"from PRE_SCALE to MODE1", []string{"W 00 31", "W fd R 00 1e 31"}},
		{"reserved bits of LED registers", []string{"W 07 ff", "W 07 R 1f", "W 09 ff", "W 09 R 1f"}},
		{"ALL_LED reads 0 and writes all", []string{"W fa 12", "W fa R 00", "W 06 R 12", "W 42 R 12"}},
		{"PRE_SCALE in sleep", []string{"W fe 79", "W fe R 79"}},
		{"PRE_SCALE is at least 3", []string{"W fe 00", "W fe R 03"}},
		{"PRE_SCALE while awake", []string{"W 00 01", "W fe 79", "W fe R 1e"}},
		{"sub-addresses", []string{"W 02 ff", "W 02 R fe"}},
		{"EXTCLK stays", []string{"W 00 51", "W 00 01", "W 00 R 41"}},
		{"reserved registers", []string{"W 45 R 10", "W 46 12 !", "W f9 !", "W 01 0c W 80 !", "W 01 R 0c"}},
		{"EXTCLK only in sleep", []string{"W 00 01", "W 00 41", "W 00 R 01"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { chiptest.PowerOn(t, Model, nil).Run(tt.run...) })
	}
}

func TestDuty(t *testing.T) {
	tests := []struct {
		name  string
		write string
		want  float64
	}{
		{"half", "W 06 00 00 00 08", 0.5},
		{"with a phase", "W 06 00 04 00 0c", 0.5},
		{"over the end of the cycle", "W 06 00 0c 00 04", 0.5},
		{"no difference", "W 06 23 01 23 01", 0},
		{"full on", "W 06 00 10 00 00", 1},
		{"full off", "W 06 00 00 00 10", 0},
		{"full off wins", "W 06 00 10 00 10", 0},
		{"all channels", "W fa 00 00 00 04", 0.25},
		{"asleep", "W 00 31 04 e2 e4 e8 e0 00 00 00 08", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			b.Run("W 00 21", tt.write)
			if got := b.Chip.Get("duty0").Float(); got != tt.want {
				t.Errorf("duty0 is %g, want %g", got, tt.want)
			}
		})
	}
}

func TestRestart(t *testing.T) {
	asleep := []string{"W 00 21", "W 06 00 00 00 08", "W 00 31", "W 00 R b1", "W 00 21", "W 00 R a1"}
	tests := []struct {
		name string
		wait time.Duration
		run  []string
		duty float64
	}{
		{"outputs stay off", time.Millisecond, nil, 0},
		{"restart", 500 * time.Microsecond, []string{"W 00 a1", "W 00 R 21"}, 0.5},
		{"before the oscillator runs", 499 * time.Microsecond, []string{"W 00 a1", "W 00 R a1"}, 0},
		{"writing 0 does nothing", time.Millisecond, []string{"W 00 21", "W 00 R a1"}, 0},
		{"a PWM register", 0, []string{"W 0a 00", "W 00 R 21"}, 0.5},
		{"OCH: one PWM register is not enough", 0, []string{"W 01 0c", "W 0a 00", "W 00 R a1"}, 0},
		{"OCH: four PWM registers", 0, []string{"W 01 0c", "W 0a 00 00 00 10", "W 00 R 21"}, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			b.Run(asleep...)
			b.Wait(tt.wait)
			b.Run(tt.run...)
			if got := b.Chip.Get("duty0").Float(); got != tt.duty {
				t.Errorf("duty0 is %g, want %g", got, tt.duty)
			}
		})
	}
	t.Run("orderly shutdown", func(t *testing.T) {
		chiptest.PowerOn(t, Model, nil).Run("W 00 21", "W 06 00 00 00 08", "W fd 10", "W 00 31", "W 00 R 31")
	})
}

func TestFrequency(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	if got := b.Chip.Get("frequency").Float(); math.Abs(got-196.9) > 0.05 {
		t.Errorf("frequency is %g Hz at power-on, want about 197", got)
	}
	b.Run("W fe 79")
	if got := b.Chip.Get("frequency").Float(); math.Abs(got-50.03) > 0.01 {
		t.Errorf("frequency is %g Hz with prescale 0x79, want about 50", got)
	}
	if err := b.Chip.Set("frequency", periph.Num(60)); err == nil {
		t.Error("the frequency could be set")
	}
}
