package ds3231

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestProbe replays ds1307_probe with an interrupt, ds1307_set_time,
// ds1307_get_time, ds3231_hwmon_read_temp and ds1337_set_alarm of
// drivers/rtc/rtc-ds1307.c, and its interrupt handler.
func TestProbe(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
	b.Run(
		"W 0e R 1c 88", "W 0e 5c", // BBSQW
		"W 00 R 00 00 00 01 01 01 00", // what it shows first of all
		"W 0f R 88", "W 0f 08", "W 00 09 08 07 02 06 05 30",
		"W 00 R 09 08 07 02 06 05 30", "W 0f R 08",
		"W 11 R 19 00",
		"W 07 R 00 00 00 00 00 00 00 5c 08",
		"W 07 14 08 07 06 00 00 00 5c 08", "W 0e 5d",
	)
	b.Edges = nil
	b.Wait(time.Minute)
	if diff := cmp.Diff([]chiptest.Edge{{After: 5 * time.Second, Level: wire.Low}}, b.Edges); diff != "" {
		t.Fatalf("edges (-want +got):\n%s", diff)
	}
	b.Edges = nil
	b.Run("W 0f R 09", "W 10 00") // no edge of this
	b.Run("W 0f 08", "W 0e R 5d", "W 0e 5c")
	if diff := cmp.Diff([]chiptest.Edge{{After: time.Minute, Level: wire.High}}, b.Edges); diff != "" {
		t.Errorf("edges in the handler (-want +got):\n%s", diff)
	}
	if got := b.Chip.Get("time").Text(); got != "2030-05-06T07:09:09Z" {
		t.Errorf("time is %s, want a minute after what was set", got)
	}
}

func TestClock(t *testing.T) {
	tests := []struct {
		name string
		set  string
		wait time.Duration
		want string
	}{
		{"second", "W 00 00 00 00 01 01 01 26", time.Second, "W 00 R 01 00 00 01 01 01 26"},
		{"not yet a second", "W 00 00 00 00 01 01 01 26", time.Second - 1, "W 00 R 00 00 00 01 01 01 26"},
		{"BCD", "W 00 59 59 09 01 09 09 29", time.Second, "W 00 R 00 00 10 01 09 09 29"},
		{"midnight and weekday", "W 00 59 59 23 07 28 02 26", time.Second, "W 00 R 00 00 00 01 01 03 26"},
		{"leap day", "W 00 59 59 23 07 28 02 28", time.Second, "W 00 R 00 00 00 01 29 02 28"},
		{"century", "W 00 59 59 23 04 31 12 99", time.Second, "W 00 R 00 00 00 05 01 81 00"},
		{"set in the second century", "W 00 00 00 00 01 01 81 05", time.Second, "W 00 R 01 00 00 01 01 81 05"},
		{"12 h: noon", "W 00 59 59 51 01 01 01 26", time.Second, "W 00 R 00 00 72 01 01 01 26"},
		{"12 h: one", "W 00 59 59 72 01 01 01 26", time.Second, "W 00 R 00 00 61 01 01 01 26"},
		{"12 h: midnight", "W 00 59 59 71 01 01 01 26", time.Second, "W 00 R 00 00 52 02 02 01 26"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
			b.Run(tt.set)
			b.Wait(tt.wait)
			b.Run(tt.want)
		})
	}
}

// TestCountdown checks that only a write of the seconds begins a second anew.
func TestCountdown(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
	b.Wait(600 * time.Millisecond)
	b.Run("W 01 30")
	b.Wait(400 * time.Millisecond)
	b.Run("W 00 R 01 30")
	b.Wait(600 * time.Millisecond)
	b.Run("W 00 00")
	b.Wait(400 * time.Millisecond)
	b.Run("W 00 R 00 30")
}

func TestRegisters(t *testing.T) {
	tests := []struct {
		name        string
		temperature float64
		run         []string
	}{
		{"power-on", 25, []string{"W 07 R 00 00 00 00 00 00 00 1c 88 00 19 00"}},
		{"rolls over after 12h", 25, []string{"W 12 R 00 00 00"}},
		{"25.25 °C", 25.25, []string{"W 11 R 19 40"}},
		{"-0.25 °C", -0.25, []string{"W 11 R ff c0"}},
		{"-40 °C", -40, []string{"W 11 R d8 00"}},
		{"temperature is read-only", 25, []string{"W 11 12 34", "W 11 R 19 00"}},
		{"aging", 25, []string{"W 10 fe", "W 10 R fe"}},
		{"CONV is done at once", 25, []string{"W 0e 3c", "W 0e R 1c"}},
		{"OSF can be cleared, not set", 25, []string{"W 0f 08", "W 0f R 08", "W 0f ff", "W 0f R 08"}},
		{"EN32kHz", 25, []string{"W 0f 80", "W 0f R 80"}},
		{"the pointer goes on", 25, []string{"W 0e", "R 1c 88"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true), "temperature": periph.Num(tt.temperature)}).Run(tt.run...)
		})
	}
}

// TestAlarms begins on Thursday 2026-01-01 00:00:00, day 5 of the week.
func TestAlarms(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name  string
		alarm string
		ie    string
		want  time.Duration
	}{
		{"1: every second", "W 07 80 80 80 80", "W 0e 1d", time.Second},
		{"1: second", "W 07 07 80 80 80", "W 0e 1d", 7 * time.Second},
		{"1: the second that it is comes in a minute", "W 07 00 80 80 80", "W 0e 1d", time.Minute},
		{"1: minute and second", "W 07 07 12 80 80", "W 0e 1d", 12*time.Minute + 7*time.Second},
		{"1: hour", "W 07 07 12 23 80", "W 0e 1d", 23*time.Hour + 12*time.Minute + 7*time.Second},
		{"1: hour of twelve", "W 07 07 12 71 80", "W 0e 1d", 23*time.Hour + 12*time.Minute + 7*time.Second},
		{"1: date", "W 07 00 00 00 03", "W 0e 1d", 2 * day},
		{"1: date that passed comes next month", "W 07 00 00 00 01", "W 0e 1d", 31 * day},
		{"1: weekday", "W 07 00 00 00 44", "W 0e 1d", 6 * day},
		{"2: every minute", "W 0b 80 80 80", "W 0e 1e", time.Minute},
		{"2: minute", "W 0b 12 80 80", "W 0e 1e", 12 * time.Minute},
		{"2: hour", "W 0b 12 01 80", "W 0e 1e", time.Hour + 12*time.Minute},
		{"2: date", "W 0b 12 01 31", "W 0e 1e", 30*day + time.Hour + 12*time.Minute},
		{"2: weekday", "W 0b 00 00 46", "W 0e 1e", day},
		{"2: no such date", "W 0b 00 00 32", "W 0e 1e", 0},
		{"1: no such second", "W 07 75 80 80 80", "W 0e 1d", 0},
		{"not enabled", "W 07 80 80 80 80", "W 0e 1c", 0},
		{"the other is enabled", "W 07 80 80 80 80", "W 0e 1e", 0},
		{"square wave", "W 07 80 80 80 80", "W 0e 19", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
			b.Run("W 00 00 00 00 05 01 01 26", tt.alarm, "W 0f 00", tt.ie)
			b.Edges = nil
			b.Wait(90 * day)
			var want []chiptest.Edge
			if tt.want != 0 {
				want = []chiptest.Edge{{After: tt.want, Level: wire.Low}}
			}
			if diff := cmp.Diff(want, b.Edges); diff != "" {
				t.Errorf("edges (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFlags checks that the flags come without an interrupt enabled, too.
func TestFlags(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
	b.Run("W 00 00 00 00 05 01 01 26", "W 07 05 80 80 80", "W 0b 01 80 80", "W 0f 00")
	b.Wait(5*time.Second - 1)
	b.Run("W 0f R 00")
	b.Wait(1)
	b.Run("W 0f R 01", "W 0f 00", "W 0f R 00")
	b.Wait(time.Minute)
	b.Run("W 0f R 03", "W 0f 01", "W 0f R 01")
	b.Run("W 0e 1d") // A1F is set already
	if b.Pins["int"].Level() != wire.Low {
		t.Error("int is high with A1F, A1IE and INTCN set")
	}
}

// TestIdle checks that a clock whose alarms are off keeps no timer.
func TestIdle(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
	b.Run("W 07 80 80 80 80 80 80 80")
	if b.Chip.(*chip).wake != nil {
		t.Error("a timer runs, and no alarm is enabled")
	}
	b.Run("W 0e 1d")
	if b.Chip.(*chip).wake == nil {
		t.Error("no timer runs, and an alarm is enabled")
	}
	b.Wait(time.Minute)
	if b.Chip.(*chip).wake != nil {
		t.Error("a timer runs, and the alarm has come")
	}
}

func TestDrift(t *testing.T) {
	tests := []struct {
		name string
		ppm  float64
		want string
	}{
		{"none", 0, "2026-01-12T13:46:40Z"},
		{"fast", 100, "2026-01-12T13:48:20Z"},
		{"slow", -100, "2026-01-12T13:45:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, map[string]periph.Value{"drift": periph.Num(tt.ppm)})
			b.Run("W 00 00 00 00 05 01 01 26")
			b.Wait(1e6 * time.Second)
			if got := b.Chip.Get("time").Text(); got != tt.want {
				t.Errorf("time is %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
	b.Set("temperature", periph.Num(30))
	b.Run("W 11 R 1e 00")
	if err := b.Chip.Set("time", periph.Str("2026-01-01T00:00:00Z")); err == nil {
		t.Error("time can be set")
	}
}

func TestPower(t *testing.T) {
	set := "W 00 09 08 07 02 06 05 30"
	b := chiptest.PowerOn(t, Model, nil)
	b.Run(set, "W 07 14 08 07 06", "W 0e 05", "W 0f 00")
	b.Power(false)
	b.Wait(4 * time.Second)
	if got := b.Ends["int"].Driving(); got != wire.Float {
		t.Errorf("INT does %d before its alarm", got)
	}
	b.Wait(2 * time.Second)
	if got := b.Ends["int"].Driving(); got != wire.DriveLow {
		t.Errorf("INT does %d at its alarm, on the battery", got)
	}
	b.Power(true)
	b.Run("W 00 R 15 08 07 02 06 05 30 14 08 07 06 00 00 00 05 01 00")

	b = chiptest.PowerOn(t, Model, nil)
	b.Run(set, "W 0e 84", "W 0f 00")
	b.Power(false)
	b.Wait(time.Hour)
	b.Power(true)
	b.Run("W 00 R 09 08 07 02 06 05 30", "W 0f R 80") // EOSC: it stood, and says so

	b = chiptest.PowerOn(t, Model, map[string]periph.Value{"lost_power": periph.On(true)})
	b.Run(set, "W 0f 00")
	b.Power(false)
	b.Wait(time.Hour)
	b.Power(true)
	b.Run("W 00 R 00 00 00 01 01 01 00", "W 0f R 88")
}

// TestFile: what the battery keeps is there in the next run, and as much later as that begins.
func TestFile(t *testing.T) {
	const set = "W 00 09 08 07 02 06 05 30" // Monday 2030-05-06 07:08:09
	for name, c := range map[string]struct {
		run     []string
		kept    map[string]periph.Value // beside the file, in the first run
		between time.Duration           // from the end of a run of 10 s to the start of the next
		want    []string
	}{
		"goes on":                              {[]string{set}, nil, 3*24*time.Hour + 5*time.Second, []string{"W 00 R 24 08 07 05 09 05 30"}},
		"at once":                              {[]string{set}, nil, 0, []string{"W 00 R 19 08 07 02 06 05 30"}},
		"the next run begins at the same time": {[]string{set}, nil, -10 * time.Second, []string{"W 00 R 19 08 07 02 06 05 30"}},
		"all registers":                        {[]string{set, "W 07 81 82 83 44 85 86 87 1d 00 fe"}, nil, 0, []string{"W 07 R 81 82 83 44 85 86 87 1d 00 fe"}},
		"12 h":                                 {[]string{"W 00 59 59 51 01 01 01 26"}, nil, time.Minute, []string{"W 00 R 09 01 72 01 01 01 26"}},
		"an alarm meanwhile":                   {[]string{set, "W 07 30 80 80 80 80 80 80", "W 0f 00"}, nil, 30 * time.Second, []string{"W 0f R 01"}},
		"an alarm later":                       {[]string{set, "W 07 30 80 80 80", "W 0b 30 08 80", "W 0f 00"}, nil, 10 * time.Second, []string{"W 0f R 00"}},
		"EOSC":                                 {[]string{set, "W 0e 84", "W 0f 00"}, nil, time.Hour, []string{"W 00 R 19 08 07 02 06 05 30", "W 0f R 80"}},
		"a new battery":                        {[]string{set, "W 0f 00"}, map[string]periph.Value{"lost_power": periph.On(true)}, time.Hour, []string{"W 00 R 00 00 00 01 01 01 00", "W 0f R 88"}},
		"drift":                                {[]string{set}, map[string]periph.Value{"drift": periph.Num(1000)}, 100_000 * time.Second, []string{"W 00 R 39 56 10 03 07 05 30"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rtc.bin")
			values := map[string]periph.Value{"file": periph.Str(file)}
			first := map[string]periph.Value{"file": periph.Str(file)}
			for k, v := range c.kept {
				first[k] = v
			}
			if drift, ok := c.kept["drift"]; ok {
				values["drift"] = drift
			}
			b := chiptest.PowerOn(t, Model, first)
			b.Run(c.run...)
			b.Wait(10 * time.Second)
			killed, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Chip.Close(); err != nil {
				t.Fatal(err)
			}
			again := func() {
				t.Helper()
				b := chiptest.PowerOnAt(t, chiptest.Epoch.Add(10*time.Second+c.between), Model, values)
				b.Run(c.want...)
				if err := b.Chip.Close(); err != nil {
					t.Fatal(err)
				}
			}
			kept, err := os.ReadFile(file)
			if err != nil || len(kept) != keptSize {
				t.Fatalf("the file has %d bytes, %v", len(kept), err)
			}
			again()
			if name == "goes on" { // a program that was killed has said how the clock was when it was set
				if err := os.WriteFile(file, killed, 0o600); err != nil {
					t.Fatal(err)
				}
				again()
			}
		})
	}
}

// TestNewFile: a chip whose file is new shows what one without a file does.
func TestNewFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rtc.bin")
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"file": periph.Str(file)})
	b.Run("W 00 R 00 00 00 05 01 01 26", "W 0f R 08")
}

// TestWeekdayOfStop: a clock that EOSC has stopped shows the day of the week that it has come to.
func TestWeekdayOfStop(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Run("W 00 00 00 00 05 01 01 26", "W 0e 84")
	b.Wait(3 * 24 * time.Hour)
	b.Power(false)
	b.Power(true)
	b.Run("W 00 R 00 00 00 01 04 01 26")
}
