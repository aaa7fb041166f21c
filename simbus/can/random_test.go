package can_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/can"

	"pgregory.net/rapid"
)

// TestAnything does anything to a bus, at any time. What it says is in order, counters and
// states agree, and when all is well again every node hears every other.
func TestAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := &bench{t: t, cal: simbus.NewVirtual()}
		defer b.cal.Close()
		b.dom, _ = b.cal.AddDomain("boards")
		b.bus = can.NewBus("bus", b.dom, rand.New(rand.NewPCG(1, 2)))
		last := simbus.Time(0)
		b.bus.Tap(func(at simbus.Time, _ *can.Node, f *can.Frame, e *can.Error) {
			if at < last {
				rt.Fatalf("%s after %s", at, last)
			}
			if last = at; e == nil && f.Check() != nil {
				rt.Fatalf("%+v: %v", f, f.Check())
			}
		})
		for i := range 3 {
			b.add(fmt.Sprint("n", i), timing)
		}
		number := 0
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			s := b.all[rapid.IntRange(0, 2).Draw(rt, "node")]
			op := rapid.IntRange(0, 9).Draw(rt, "do")
			b.do(func() {
				switch op {
				case 0:
					s.Start()
				case 1:
					s.Stop()
				case 2:
					b.bus.Leave(s.Node)
				case 3:
					if err := b.bus.Join(s.Node); err != nil {
						rt.Fatal(err)
					}
				case 4:
					b.bus.SetErrorRate([]float64{0, 0.3, 1}[number%3])
				case 5:
					b.bus.SetDominant(!b.bus.Dominant())
				case 6:
					s.SetErrorRate([]float64{0, 0.3, 1}[number%3])
				case 7:
					s.SetCounters(number*50%257, number*30%257)
				default:
					if state := s.State(); state == can.ErrorActive || state == can.ErrorPassive {
						s.queued([]string{"100#", "123##1AA", "00000001#R2", "7FF#0102030405060708"}[number%4])
					}
				}
				number++
			})
			b.advance(time.Duration(rapid.IntRange(0, 400).Draw(rt, "wait")) * bit / 4)
			for _, s := range b.all {
				tec, rec := s.Counters()
				passive := tec > 127 || rec > 127
				if tec < 0 || tec > 256 || rec < 0 || rec > 255 || s.State() == can.ErrorActive && passive || s.State() == can.ErrorPassive && !passive {
					rt.Fatalf("%s: TEC %d, REC %d, %s", s.Name(), tec, rec, s.State())
				}
			}
		}
		// One that has nothing to send: nodes that send the same frame acknowledge it no more than
		// one alone does, and go on together for ever once they are all error-passive.
		b.do(func() { b.add("listener", timing) })
		// Twice: an error-passive node whose FD frame goes out beside the same one of another
		// sees an error in its ESI bit, and may be bus-off then.
		for range 2 {
			b.do(func() {
				b.bus.SetErrorRate(0)
				b.bus.SetDominant(false)
				for _, s := range b.all {
					s.SetErrorRate(0)
					if err := b.bus.Join(s.Node); err != nil {
						rt.Fatal(err)
					}
					s.Start()
				}
			})
			if _, err := b.cal.Advance(context.Background(), b.cal.Now().Add(time.Second), nil); err != nil {
				rt.Fatal(err)
			}
		}
		for i, s := range b.all {
			for _, other := range b.all {
				other.got = nil
			}
			f := fmt.Sprintf("%03X#", i)
			b.send(rt, s, f)
			for j, other := range b.all {
				if want := map[bool]int{true: 0, false: 1}[i == j]; len(other.got) != want || want == 1 && other.got[0] != f {
					rt.Fatalf("%s sends %s when all is well, and %s gets %q", s.Name(), f, other.Name(), other.got)
				}
			}
		}
	})
}

func (b *bench) send(rt *rapid.T, s *station, text string) {
	if len(s.queue) > 0 {
		rt.Fatalf("%s still has %d frames to send", s.Name(), len(s.queue))
	}
	s.send(text)
	b.advance(time.Millisecond)
}
