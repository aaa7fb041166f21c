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
