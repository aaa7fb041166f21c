package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWireResolves(t *testing.T) {
	tests := []struct {
		name   string
		drives []Drive
		want   Level
		clash  bool
	}{
		{"nothing drives it", []Drive{Float, Float}, Low, false},
		{"pulled up", []Drive{Float, PullUp}, High, false},
		{"pull-up against pull-down", []Drive{PullDown, PullUp}, High, false},
		{"open drain low wins over the pull-up", []Drive{PullUp, DriveLow}, Low, false},
		{"two open drains", []Drive{PullUp, DriveLow, DriveLow}, Low, false},
		{"high wins over the pull-down", []Drive{PullDown, DriveHigh}, High, false},
		{"a short to ground", []Drive{DriveHigh, DriveLow}, Low, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clash := false
			w := &Wire{OnConflict: func(_, _ *Pin) { clash = true }}
			for _, d := range tt.drives {
				w.NewPin("p").Drive(d)
			}
			if w.Level() != tt.want || clash != tt.clash {
				t.Errorf("level %s, clash %v; want %s, %v", w.Level(), clash, tt.want, tt.clash)
			}
		})
	}
}

// TestWatchersEndWithTheLevel checks that whatever watchers do to a wire, the
// last level that each is told of is the wire's.
func TestWatchersEndWithTheLevel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &Wire{}
		told := make([]Level, 3)
		var pins []*Pin
		for i := range told {
			p := w.NewPin("p")
			p.Watch(func(l Level) { told[i] = l })
			pins = append(pins, p)
		}
		// One pin pulls the wire low again when it goes high, now and then.
		moody := w.NewPin("moody")
		moody.Watch(func(l Level) {
			if l == High && rapid.Bool().Draw(rt, "objects") {
				moody.Drive(DriveLow)
			}
		})
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			moody.Drive(Float)
			pins[rapid.IntRange(0, 2).Draw(rt, "pin")].Drive(Drive(rapid.IntRange(0, 4).Draw(rt, "drive")))
			for i, l := range told {
				if l != w.Level() {
					rt.Fatalf("pin %d was last told %s, the wire is %s", i, l, w.Level())
				}
			}
		}
	})
}

// TestLift lifts a pin off a wire that another one drives: the wire is as if it were not
// there, and it sees what it drives itself.
func TestLift(t *testing.T) {
	w := new(Wire)
	var conflicts, seen []string
	w.OnConflict = func(high, low *Pin) { conflicts = append(conflicts, high.Name+" "+low.Name) }
	other, pin := w.NewPin("other"), w.NewPin("pin")
	pin.Watch(func(l Level) { seen = append(seen, l.String()) })
	other.Drive(DriveHigh)
	for _, step := range []struct {
		what string
		do   func()
		wire Level
		pin  Level
	}{
		{"lifted", pin.Lift, High, Low},
		{"it drives nothing", func() { pin.Drive(DriveLow) }, High, Low},
		{"twice", pin.Lift, High, Low},
		{"nor up", func() { pin.Drive(DriveHigh); other.Drive(DriveLow) }, Low, High},
		{"it floats", func() { pin.Drive(PullUp) }, Low, High},
		{"back", pin.Join, Low, Low},
		{"twice back", pin.Join, Low, Low},
		{"it pulls", func() { other.Drive(Float) }, High, High},
		{"lifted again", func() { pin.Lift(); pin.Drive(Float) }, Low, Low},
		{"back without a word", pin.Join, Low, Low},
	} {
		step.do()
		if w.Level() != step.wire || pin.Level() != step.pin {
			t.Errorf("%s: the wire is %s and the pin sees %s, want %s and %s", step.what, w.Level(), pin.Level(), step.wire, step.pin)
		}
	}
	if got, want := strings.Join(seen, ""), "1010"+"10"; got != want {
		t.Errorf("the pin saw %s, want %s", got, want)
	}
	if len(conflicts) > 0 {
		t.Errorf("conflicts: %q", conflicts)
	}
}
