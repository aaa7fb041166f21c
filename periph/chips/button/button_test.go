package button

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

func TestButton(t *testing.T) {
	const ms = time.Millisecond
	pressed := func(on bool) func(*chiptest.Bench) {
		return func(b *chiptest.Bench) { b.Set("pressed", periph.On(on)) }
	}
	press := func(ms string) func(*chiptest.Bench) {
		return func(b *chiptest.Bench) { b.Set("press", periph.Str(ms)) }
	}
	wait := func(d time.Duration) func(*chiptest.Bench) { return func(b *chiptest.Bench) { b.Wait(d) } }
	activeHigh := map[string]periph.Value{"active_low": periph.On(false)}

	tests := []struct {
		name    string
		values  map[string]periph.Value
		steps   []func(*chiptest.Bench)
		edges   []chiptest.Edge
		changed []string
	}{
		{"released", nil, nil, []chiptest.Edge{{After: 0, Level: wire.High}}, nil},
		{"pressed and released", nil, []func(*chiptest.Bench){wait(ms), pressed(true), wait(ms), pressed(false)},
			[]chiptest.Edge{{After: 0, Level: wire.High}, {After: ms, Level: wire.Low}, {After: 2 * ms, Level: wire.High}}, nil},
		{"active high", activeHigh, []func(*chiptest.Bench){wait(ms), pressed(true), wait(ms), pressed(false)},
			[]chiptest.Edge{{After: ms, Level: wire.High}, {After: 2 * ms, Level: wire.Low}}, nil},
		{"held at power-on", map[string]periph.Value{"active_low": periph.On(false), "pressed": periph.On(true)}, nil,
			[]chiptest.Edge{{After: 0, Level: wire.High}}, nil},
		{"press", activeHigh, []func(*chiptest.Bench){press("20"), wait(time.Second)},
			[]chiptest.Edge{{After: 0, Level: wire.High}, {After: 20 * ms, Level: wire.Low}}, []string{"pressed=on", "pressed=off"}},
		{"press without an argument", activeHigh, []func(*chiptest.Bench){press(""), wait(time.Second)},
			[]chiptest.Edge{{After: 0, Level: wire.High}, {After: 100 * ms, Level: wire.Low}}, []string{"pressed=on", "pressed=off"}},
		{"press again while pressed", activeHigh, []func(*chiptest.Bench){press("20"), wait(10 * ms), press("20"), wait(time.Second)},
			[]chiptest.Edge{{After: 0, Level: wire.High}, {After: 30 * ms, Level: wire.Low}}, []string{"pressed=on", "pressed=off"}},
		{"released while pressed", activeHigh, []func(*chiptest.Bench){press("20"), wait(10 * ms), pressed(false), wait(time.Second)},
			[]chiptest.Edge{{After: 0, Level: wire.High}, {After: 10 * ms, Level: wire.Low}}, []string{"pressed=on"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, tt.values)
			for _, step := range tt.steps {
				step(b)
			}
			if diff := cmp.Diff(tt.edges, b.Edges); diff != "" {
				t.Errorf("edges (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.changed, b.Changed); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBounce(t *testing.T) {
	const bounce = 5 * time.Millisecond
	run := func() []chiptest.Edge {
		b := chiptest.PowerOn(t, Model, map[string]periph.Value{"active_low": periph.On(false), "bounce": periph.Num(5)})
		b.Set("pressed", periph.On(true))
		b.Wait(time.Second)
		return b.Edges
	}
	first := run()
	if len(first) < 3 || len(first)%2 == 0 {
		t.Fatalf("%d edges, want an odd number of at least 3: %v", len(first), first)
	}
	last := first[len(first)-1]
	if last.After > bounce || last.Level != wire.High {
		t.Errorf("the last edge is %v, want High within %v", last, bounce)
	}
	if diff := cmp.Diff(first, run()); diff != "" {
		t.Errorf("the same seed bounced differently:\n%s", diff)
	}
}

func TestReleasedWhileBouncing(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"bounce": periph.Num(50)})
	b.Set("pressed", periph.On(true))
	b.Set("pressed", periph.On(false))
	b.Wait(time.Second)
	if got := b.Pins["out"].Level(); got != wire.High {
		t.Errorf("the line is %v after release, want 1", got)
	}
}

func TestPressArgument(t *testing.T) {
	for _, argument := range []string{"long", "0", "-1", "NaN", "1e9"} {
		t.Run(argument, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			if err := b.Chip.Set("press", periph.Str(argument)); err == nil {
				t.Error("no error")
			}
			if b.Chip.Get("pressed").Bool() {
				t.Error("it is pressed")
			}
		})
	}
}
