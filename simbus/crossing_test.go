package simbus

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// deed is something that a domain does at a time: it sends, or changes a way's least time.
type deed struct {
	at    Time
	way   int
	least time.Duration // 0: it sends
}

// TestSetLeast changes least times while the appliance moves. What is sent arrives when the
// sender's times say, however the windows fall.
func TestSetLeast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 4).Draw(rt, "domains")
		least := rapid.Map(rapid.IntRange(1, 5000), func(us int) time.Duration { return time.Duration(us) * time.Microsecond })
		ways := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) [2]int {
			from := rapid.IntRange(0, n-1).Draw(rt, "from")
			return [2]int{from, (from + rapid.IntRange(1, n-1).Draw(rt, "to")) % n}
		}), 1, 6).Draw(rt, "ways")
		first := rapid.SliceOfN(least, len(ways), len(ways)).Draw(rt, "least")
		deeds := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) deed {
			d := deed{at: Time(rapid.IntRange(0, 20_000).Draw(rt, "at")) * 1000, way: rapid.IntRange(0, len(ways)-1).Draw(rt, "way")}
			if rapid.Bool().Draw(rt, "change") {
				d.least = least.Draw(rt, "new")
			}
			return d
		}), 1, 60).Draw(rt, "deeds")
		echo := rapid.Bool().Draw(rt, "echo")

		play := func(chunk time.Duration, stop func(*Event) bool, restless bool) (got []string) {
			c := NewVirtual()
			defer c.Close()
			var ds []*Domain
			for i := range n + 1 {
				d, err := c.AddDomain(fmt.Sprint(i))
				if err != nil {
					rt.Fatal(err)
				}
				ds = append(ds, d)
			}
			crossings := make([]*Crossing[Time], len(ways))
			arrived := make([][]string, n)
			for i, w := range ways {
				to := ds[w[1]]
				crossings[i] = NewCrossing(ds[w[0]], to, first[i], func(due Time) {
					if to.Now() != due {
						rt.Fatalf("on way %d at %s, and was due at %s", i, to.Now(), due)
					}
					arrived[w[1]] = append(arrived[w[1]], fmt.Sprint(i, "@", due))
					if !echo {
						return
					}
					for j, back := range ways { // what arrives is sent on
						if back[0] == w[1] && len(arrived[w[1]]) < 20 {
							crossings[j].Send(0, to.Now().Add(crossings[j].Least()))
						}
					}
				})
			}
			for _, x := range deeds {
				from, way := ds[ways[x.way][0]], crossings[x.way]
				from.Do(func() {
					from.At(x.at, func() {
						if x.least > 0 {
							way.SetLeast(x.least)
							return
						}
						way.Send(0, from.Now().Add(way.Least()))
					})
				})
			}
			if restless { // windows are short: another domain may always say something soon
				for _, d := range ds[:n] {
					NewCrossing(ds[n], d, 700, func(struct{}) {})
				}
				var tick func()
				tick = func() { After(ds[n], 300_000, tick) }
				ds[n].Do(tick)
			}
			const end = Time(30 * time.Millisecond)
			for at := Time(0); at < end; {
				at = min(end, at.Add(chunk))
				if _, err := c.Advance(t.Context(), at, stop); err != nil {
					rt.Fatal(err)
				}
			}
			for i, a := range arrived {
				got = append(got, fmt.Sprint("domain ", i))
				got = append(got, a...)
			}
			return got
		}
		want := play(time.Second, nil, false)
		for _, got := range [][]string{
			play(time.Second, nil, true),
			play(137*time.Microsecond, nil, false),
			play(10*time.Millisecond, func(*Event) bool { return false }, false),
		} {
			if !slices.Equal(got, want) {
				rt.Fatalf("got\n%q, want\n%q", got, want)
			}
		}
	})
}

// TestLeastTakesEffect sends after a change either way.
func TestLeastTakesEffect(t *testing.T) {
	c, ds := newVirtual(t, "a", "b")
	var got []Time
	way := NewCrossing(ds[0], ds[1], 10*time.Millisecond, func(struct{}) { got = append(got, ds[1].Now()) })
	at := func(ms Time, f func()) { ds[0].Do(func() { ds[0].At(ms*1e6, f) }) }
	send := func() { way.Send(0, struct{}{}) }
	at(1, send)
	at(2, func() { way.SetLeast(time.Millisecond) })
	at(3, send) // at 12: it might have gone on until then
	at(20, send)
	at(21, func() { way.SetLeast(5 * time.Millisecond) })
	at(22, send)
	advance(t, c, Time(time.Second))
	if want := []Time{11e6, 12e6, 21e6, 27e6}; !slices.Equal(got, want) {
		t.Errorf("arrivals at %s, want %s", got, want)
	}
	// The appliance stands still: nobody has gone on.
	got = nil
	ds[0].Do(func() { way.SetLeast(time.Microsecond); send() })
	advance(t, c, Time(2*time.Second))
	if want := []Time{1e9 + 1000}; !slices.Equal(got, want) {
		t.Errorf("arrivals at %s, want %s", got, want)
	}
}

// TestCrossingLater makes a crossing to a domain that has gone far, and one to a domain that is
// new: what is sent arrives when it is due, and no domain runs past that. A crossing that was
// closed holds nobody up, and what was under way arrives.
func TestCrossingLater(t *testing.T) {
	c, ds := newVirtual(t, "a", "b")
	var ticks int
	var tick func()
	tick = func() { ticks++; After(ds[1], 10_000, tick) }
	ds[1].Do(tick)
	advance(t, c, Time(time.Second))
	late, err := c.AddDomain("late")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	join := func(to *Domain, least time.Duration) *Crossing[string] {
		return NewCrossing(ds[0], to, least, func(s string) { got = append(got, fmt.Sprint(s, "@", to.Now())) })
	}
	first, second := join(ds[1], time.Millisecond), join(late, 3*time.Microsecond)
	ds[0].Do(func() {
		first.Send(0, "at once")
		After(ds[0], 5*time.Millisecond, func() { first.Send(0, "to b"); second.Send(0, "to late") })
		After(ds[0], 20*time.Millisecond, func() { first.Send(0, "under way") })
	})
	advance(t, c, Time(time.Second+20*time.Millisecond+1))
	first.Close()
	ds[0].Do(func() { first.Send(0, "never") })
	before := ticks
	advance(t, c, Time(2*time.Second))
	if want := []string{"at once@1.001000000s", "to late@1.005003000s", "to b@1.006000000s", "under way@1.021000000s"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if ticks-before < 97_000 {
		t.Errorf("b ticked %d times", ticks-before)
	}
}
