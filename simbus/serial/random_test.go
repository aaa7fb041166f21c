package serial_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"

	"pgregory.net/rapid"
)

// deed is something that is done to a port.
type deed struct {
	port int
	at   simbus.Time
	do   func(p *serial.Port)
	text string
}

func drawDeed(rt *rapid.T) deed {
	d := deed{port: rapid.IntRange(0, 1).Draw(rt, "port"), at: simbus.Time(rapid.IntRange(0, 20_000_000).Draw(rt, "at"))}
	on := rapid.Bool().Draw(rt, "on")
	switch op := rapid.IntRange(0, 13).Draw(rt, "op"); op {
	case 0:
		f := serial.EightN1(serial.Baud(rapid.SampledFrom([]int{50, 9600, 19_200, 115_200, 1_000_000, serial.MaxBaud}).Draw(rt, "rate")))
		if on {
			f.Parity, f.Data, f.Stop = serial.Even, 5, serial.Stop1Half
		}
		d.text, d.do = "format "+f.String(), func(p *serial.Port) { p.SetFormat(f) }
	case 1:
		d.text, d.do = "hold", func(p *serial.Port) { p.Hold(on) }
	case 2:
		d.text, d.do = "flush", func(p *serial.Port) { p.Flush() }
	case 3:
		d.text, d.do = "break", func(p *serial.Port) { p.SetBreak(on) }
	case 4:
		l := serial.Lines(rapid.IntRange(0, 3).Draw(rt, "lines"))
		d.text, d.do = "lines", func(p *serial.Port) { p.SetOutputs(l) }
	case 5:
		d.text, d.do = "power", func(p *serial.Port) { p.Power(on) }
	case 6:
		n := rapid.IntRange(0, 20).Draw(rt, "batch")
		d.text, d.do = "batch", func(p *serial.Port) { p.SetBatch(n) }
	case 7:
		d.text, d.do = "listen", func(p *serial.Port) { p.Listen(on) }
	case 8:
		d.text, d.do = "driver", func(p *serial.Port) { p.SetDriver(on) }
	case 9:
		d.text, d.do = "receiver", func(p *serial.Port) { p.SetReceiver(on) }
	default:
		data := rapid.SliceOfN(rapid.Byte(), 1, 60).Draw(rt, "data")
		d.text, d.do = fmt.Sprintf("send %x", data), func(p *serial.Port) { p.Transmit(bytes.Clone(data)) }
	}
	d.text = fmt.Sprintf("%d at %s: %s %v", d.port, d.at, d.text, on)
	return d
}

// TestAnything does anything to two ports that are joined, at any time. What they say is the
// same however the calendar's windows fall, and in order.
func TestAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cable := serial.Cable{
			Delay:  rapid.SampledFrom([]time.Duration{0, 0, 1, 30_000, 2_000_000}).Draw(rt, "delay"),
			Wiring: serial.Wiring(rapid.IntRange(0, 2).Draw(rt, "wiring")),
		}
		deeds := rapid.SliceOfN(rapid.Custom(drawDeed), 1, 40).Draw(rt, "deeds")
		noise := rapid.SampledFrom([]float64{0, 0, 0.001, 0.05, 1}).Draw(rt, "noise")
		bus := rapid.Bool().Draw(rt, "bus")
		play := func(chunk time.Duration, stop func(*simbus.Event) bool, restless bool) (said []string) {
			domains := 2
			if bus {
				domains = 1
			}
			b := newBoards(t, domains)
			defer b.cal.Close()
			if bus {
				line := serial.NewBus()
				for _, p := range b.ports {
					line.Join(p)
				}
			} else {
				b.join(cable)
				b.ports[1].SetNoise(noise, rand.New(rand.NewPCG(1, 2)))
			}
			var logs [2][]string
			for i, p := range b.ports {
				log := func(format string, args ...any) {
					logs[i] = append(logs[i], fmt.Sprintf("%d %s ", i, b.doms[i].Now())+fmt.Sprintf(format, args...))
				}
				last, count := simbus.Time(0), 0
				p.OnReceive = func(x serial.Received) {
					log("receives %x %s %s", x.Data, x.End, x.Flags)
					if x.End < last || x.End > b.doms[i].Now() || len(x.Data) == 0 {
						rt.Fatalf("%s of %x, now %s, the last one was %s", x.End, x.Data, b.doms[i].Now(), last)
					}
					last = x.End
					if count++; count > 100_000 {
						rt.Fatal("it goes on for ever")
					}
				}
				p.OnSent = func(data []byte) { log("sent %x, %d wait, busy %v", data, p.Waiting(), p.Busy()) }
				p.OnInputs = func(now, changed serial.Lines) { log("inputs %s, %s", now, changed) }
			}
			for _, d := range deeds {
				b.do(d.port, d.at, func() { d.do(b.ports[d.port]) })
			}
			if restless { // windows are short: another domain may always say something soon
				d, err := b.cal.AddDomain("restless")
				if err != nil {
					rt.Fatal(err)
				}
				for _, to := range b.doms {
					simbus.NewCrossing(d, to, 700, func(struct{}) {})
				}
				var tick func()
				tick = func() { simbus.After(d, 90_000, tick) }
				d.Do(tick)
			}
			const end = simbus.Time(100 * time.Millisecond)
			for at := simbus.Time(0); at < end; {
				at = min(end, at.Add(chunk))
				if _, err := b.cal.Advance(context.Background(), at, stop); err != nil {
					rt.Fatal(err)
				}
			}
			return append(logs[0], logs[1]...)
		}
		want := play(time.Second, nil, false)
		for _, got := range [][]string{
			play(time.Second, nil, true),
			play(1_370*time.Microsecond, nil, false),
			play(10*time.Millisecond, func(*simbus.Event) bool { return false }, false),
		} {
			if !slices.Equal(got, want) {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						rt.Fatalf("got\n%q, want\n%q", got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
					}
				}
				rt.Fatalf("got %d, want %d", len(got), len(want))
			}
		}
	})
}
