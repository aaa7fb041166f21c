package gpio

import (
	"context"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// TestWireWithMuchUnderway changes the level of a wire far more often than there may be
// changes under way: some are lost, which is said a few times, and in the end the far end
// has the level that the near one has.
func TestWireWithMuchUnderway(t *testing.T) {
	cal := simbus.NewVirtual()
	defer cal.Close()
	d, err := cal.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	near := &periph.Joint{Domain: d, Fault: func(text string) {
		if strings.HasPrefix(text, "wire w: 65536 changes") {
			said++
		}
	}}
	l := &wireLink{name: "w", from: near, to: d, delay: time.Second, pin: (&wire.Wire{}).NewPin("far")}
	l.way = simbus.NewCrossing(d, d, l.delay, l.arrive)
	const changes, every = 3*maxUnderway + 1, time.Microsecond
	n := 0
	var change func()
	change = func() {
		n++
		l.send(n%2 == 1)
		if len(l.underway) > 2*maxUnderway {
			t.Fatalf("%d changes are under way", len(l.underway))
		}
		if n < changes {
			simbus.After(d, every, change)
		}
	}
	d.Do(change)
	if _, err := cal.Advance(context.Background(), simbus.Time(10*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if l.lost < maxUnderway || said < 2 || said > 20 {
		t.Errorf("%d were lost, which was said %d times", l.lost, said)
	}
	if !l.level {
		t.Error("the far end does not have the level that the near one has")
	}
}

// TestWire lets a level pass a wire between two boards, with and without a delay, and cuts it.
func TestWire(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Microsecond, time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			cal := simbus.NewVirtual()
			defer cal.Close()
			var ds [2]*simbus.Domain
			for i := range ds {
				var err error
				if ds[i], err = cal.AddDomain([]string{"a", "b"}[i]); err != nil {
					t.Fatal(err)
				}
			}
			if delay == 0 { // the boards then share their time
				ds[1] = ds[0]
			}
			near, far := new(wire.Wire), new(wire.Wire)
			c := &WireConfig{From: "a.g.0", To: "b.g.0", Delay: periph.Duration(delay)}
			if c.Instant() != (delay == 0) {
				t.Errorf("it takes no time: %v", c.Instant())
			}
			link, err := c.Build(&periph.LinkEnv{Name: "w", Calendar: cal}, []periph.Joint{{Domain: ds[0], Socket: near}, {Domain: ds[1], Socket: far}})
			if err != nil {
				t.Fatal(err)
			}
			var changed []simbus.Time
			far.OnChange = func(wire.Level) { changed = append(changed, ds[1].Now()) }
			driver := near.NewPin("driver")
			ds[0].Do(func() { ds[0].At(simbus.Time(time.Second), func() { driver.Drive(wire.DriveHigh) }) })
			after := func(seconds int, want wire.Level) {
				t.Helper()
				if _, err := cal.Advance(context.Background(), simbus.Time(seconds)*simbus.Time(time.Second), nil); err != nil {
					t.Fatal(err)
				}
				if far.Level() != want {
					t.Errorf("after %d s the far end is %s, want %s", seconds, far.Level(), want)
				}
			}
			after(2, wire.High)
			if want := simbus.Time(time.Second).Add(delay); len(changed) != 1 || changed[0] != want {
				t.Errorf("the far end changed at %v, want %s", changed, want)
			}
			link.Cut("", true)
			after(3, wire.Low) // nothing drives it
			link.Cut("", false)
			after(4, wire.High)
		})
	}
}
