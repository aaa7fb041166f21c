package chips

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

func TestButton(t *testing.T) {
	const ms = time.Millisecond
	pressed := func(on bool) func(*bench) { return func(b *bench) { b.set("pressed", periph.On(on)) } }
	press := func(ms string) func(*bench) { return func(b *bench) { b.set("press", periph.Str(ms)) } }
	wait := func(d time.Duration) func(*bench) { return func(b *bench) { b.wait(d) } }
	activeHigh := map[string]periph.Value{"active_low": periph.On(false)}

	tests := []struct {
		name    string
		values  map[string]periph.Value
		steps   []func(*bench)
		edges   []edge
		changed []string
	}{
		{"released", nil, nil, []edge{{0, wire.High}}, nil},
		{"pressed and released", nil, []func(*bench){wait(ms), pressed(true), wait(ms), pressed(false)},
			[]edge{{0, wire.High}, {ms, wire.Low}, {2 * ms, wire.High}}, nil},
		{"active high", activeHigh, []func(*bench){wait(ms), pressed(true), wait(ms), pressed(false)},
			[]edge{{ms, wire.High}, {2 * ms, wire.Low}}, nil},
		{"held at power-on", map[string]periph.Value{"active_low": periph.On(false), "pressed": periph.On(true)}, nil,
			[]edge{{0, wire.High}}, nil},
		{"press", activeHigh, []func(*bench){press("20"), wait(time.Second)},
			[]edge{{0, wire.High}, {20 * ms, wire.Low}}, []string{"pressed=on", "pressed=off"}},
		{"press without an argument", activeHigh, []func(*bench){press(""), wait(time.Second)},
			[]edge{{0, wire.High}, {100 * ms, wire.Low}}, []string{"pressed=on", "pressed=off"}},
		{"press again while pressed", activeHigh, []func(*bench){press("20"), wait(10 * ms), press("20"), wait(time.Second)},
			[]edge{{0, wire.High}, {30 * ms, wire.Low}}, []string{"pressed=on", "pressed=off"}},
		{"released while pressed", activeHigh, []func(*bench){press("20"), wait(10 * ms), pressed(false), wait(time.Second)},
			[]edge{{0, wire.High}, {10 * ms, wire.Low}}, []string{"pressed=on"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := powerOn(t, button, tt.values)
			for _, step := range tt.steps {
				step(b)
			}
			if diff := cmp.Diff(tt.edges, b.edges); diff != "" {
				t.Errorf("edges (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.changed, b.changed); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestButtonBounce(t *testing.T) {
	const bounce = 5 * time.Millisecond
	run := func() []edge {
		b := powerOn(t, button, map[string]periph.Value{"active_low": periph.On(false), "bounce": periph.Num(5)})
		b.set("pressed", periph.On(true))
		b.wait(time.Second)
		return b.edges
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

func TestButtonReleasedWhileBouncing(t *testing.T) {
	b := powerOn(t, button, map[string]periph.Value{"bounce": periph.Num(50)})
	b.set("pressed", periph.On(true))
	b.set("pressed", periph.On(false))
	b.wait(time.Second)
	if got := b.pins["out"].Level(); got != wire.High {
		t.Errorf("the line is %v after release, want 1", got)
	}
}

func TestButtonPressArgument(t *testing.T) {
	for _, argument := range []string{"long", "0", "-1", "NaN", "1e9"} {
		t.Run(argument, func(t *testing.T) {
			b := powerOn(t, button, nil)
			if err := b.chip.Set("press", periph.Str(argument)); err == nil {
				t.Error("no error")
			}
			if b.chip.Get("pressed").Bool() {
				t.Error("it is pressed")
			}
		})
	}
}
