package can_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"backplane/periph/can"
	"backplane/periph/can/cantest"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	bus "backplane/simbus/can"

	"github.com/google/go-cmp/cmp"
)

var timing = bus.Timing{Bitrate: 500_000, DataBitrate: 2_000_000}

// bench is two controllers on a bus, with a driver each.
type bench struct {
	t   *testing.T
	cal *simbus.Calendar
	dom *simbus.Domain
	bus *bus.Bus
	dev [2]*can.Controller
	drv [2]*cantest.Driver
	log []string
}

func newBench(t *testing.T, timings ...bus.Timing) *bench {
	t.Helper()
	b := &bench{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(b.cal.Close)
	var err error
	if b.dom, err = b.cal.AddDomain("boards"); err != nil {
		t.Fatal(err)
	}
	b.bus = bus.NewBus("bus", b.dom, rand.New(rand.NewPCG(1, 2)))
	for i, timing := range timings {
		c := can.NewController("can0", timing, b.dom)
		b.dev[i], b.drv[i] = c, cantest.New(t, c)
		c.OnState = func(s bus.State) { b.log = append(b.log, s.String()) }
		c.ConfigChanged = func() { b.log = append(b.log, "configuration changed") }
		if err := b.bus.Join(c.Port()); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) up() {
	b.dom.Do(func() {
		for _, d := range b.drv {
			d.Up()
		}
	})
}

func (b *bench) advance(d time.Duration) {
	b.t.Helper()
	if _, err := b.cal.Advance(context.Background(), b.cal.Now().Add(d), nil); err != nil {
		b.t.Fatal(err)
	}
	for i, d := range b.drv {
		if d != nil && d.Failure != nil {
			b.t.Errorf("controller %d was stopped: %v", i, d.Failure)
		}
	}
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestFrames: frames of all kinds arrive as they were sent, in order, and come back when
// they have been sent and not before.
func TestFrames(t *testing.T) {
	b := newBench(t, timing, timing)
	b.up()
	frames := []string{"123#", "7FF#0102030405060708", "1FFFFFFF#AA", "123#R", "123#R8", "12345678#R3", "123##0", "123##0" + strings.Repeat("A5", 64), "00000000##0112233"}
	b.dom.Do(func() { b.drv[0].Send(frames...) })
	same(t, "sent at once", b.drv[0].Sent())
	b.advance(20 * time.Millisecond)
	same(t, "sent", b.drv[0].Sent(), frames...)
	same(t, "received", b.drv[1].Received(), frames...)
	same(t, "received from itself", b.drv[0].Received())
}

// TestPadding: an FD frame whose length no frame has goes out with zeros behind it.
func TestPadding(t *testing.T) {
	b := newBench(t, timing, timing)
	b.up()
	f := bus.Frame{ID: 1, FD: true, Length: 9, Data: [bus.MaxLengthFD]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}
	b.dom.Do(func() {
		b.drv[0].Rings[0].Add([][]byte{cantest.Message(&f)}, []int{1})
		b.drv[0].Kick(0)
	})
	b.advance(time.Millisecond)
	same(t, "received", b.drv[1].Received(), "001##0010203040506070809000000")
}

// TestRefused: what is no frame, or of a kind that was not negotiated, is not sent; nor is
// anything while the controller is stopped.
func TestRefused(t *testing.T) {
	good := func() []byte { return cantest.Message(&bus.Frame{ID: 0x123, Length: 2}) }
	with := func(at int, v uint32) []byte {
		b := good()
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for name, message := range map[string][]byte{
		"type":             with(0, 2|2<<16),
		"length":           with(0, 1|9<<16),
		"data missing":     with(0, 1|3<<16),
		"length of all":    with(0, 1|0xffff<<16),
		"flag":             with(8, 1),
		"reserved flag":    with(8, 0x1000),
		"identifier":       with(12, 0x800),
		"extended":         append(with(8, 0x8000)[:12], 0, 0, 0, 0x20, 1, 2),
		"flag in the id":   with(12, 1<<31|0x123),
		"remote length":    append(with(0, 1|9<<16)[:8], append([]byte{0, 0x20, 0, 0}, good()[12:]...)...),
		"remote FD":        with(8, 0x6000),
		"FD to no FD port": with(8, 0x4000),
	} {
		b := newBench(t, bus.Timing{Bitrate: 500_000}, bus.Timing{Bitrate: 500_000})
		b.up()
		b.advance(time.Millisecond)
		var answer []byte
		b.dom.Do(func() { answer = b.drv[0].Do(t, 0, message, 1) })
		if b.advance(time.Millisecond); len(answer) != 1 || answer[0] != 1 {
			t.Errorf("%s: answer % x", name, answer)
		}
		same(t, name, b.drv[1].Received())
	}
	b := newBench(t, timing, timing)
	b.dom.Do(func() { b.drv[0].Send("123#") })
	same(t, "while it is stopped", b.drv[0].Sent(), "123#!")
}

// TestBroken: a driver that breaks the protocol has its controller stopped.
func TestBroken(t *testing.T) {
	for name, c := range map[string]struct {
		queue   int
		out, in int
		want    string
	}{
		"short frame":       {0, 15, 1, "frame of 15 bytes"},
		"no result":         {0, 16, 0, "room for 0"},
		"short control":     {2, 1, 1, "control message of 1 bytes"},
		"no control answer": {2, 2, 0, "room for 0"},
	} {
		b := newBench(t, timing)
		var in []int
		if c.in > 0 {
			in = []int{c.in}
		}
		b.dom.Do(func() {
			b.drv[0].Rings[c.queue].Add([][]byte{make([]byte, c.out)}, in)
			b.drv[0].Kick(c.queue)
		})
		if err := b.drv[0].Failure; err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	b := newBench(t, timing, timing)
	tight := virtiotest.Start(t, b.dev[0], 8, 0)
	tight.Rings[1].Add(nil, []int{19})
	b.dom.Do(func() {
		tight.Do(t, 2, []byte{1, 2}, 1)
		b.drv[1].Up()
		b.drv[1].Send("123#010203", "123#01020304")
	})
	b.advance(10 * time.Millisecond)
	if tight.Failure != nil || len(tight.Rings[1].Results()) != 1 {
		t.Errorf("a frame that fits: %v", tight.Failure)
	}
	tight.Rings[1].Add(nil, []int{19})
	b.dom.Do(func() { b.drv[1].Send("123#01020304") })
	b.advance(10 * time.Millisecond)
	if tight.Failure == nil || !strings.Contains(tight.Failure.Error(), "room of 19 bytes for a frame of 20") {
		t.Errorf("a frame that does not fit: %v", tight.Failure)
	}
	unknown := newBench(t, timing)
	unknown.dom.Do(func() {
		if answer := unknown.drv[0].Do(t, 2, []byte{3, 2}, 1); answer[0] != 1 {
			t.Errorf("an unknown control message is answered % x", answer)
		}
	})
}

// TestOverrun: frames that the driver has no room for are lost, and counted.
func TestOverrun(t *testing.T) {
	b := newBench(t, timing, timing)
	lost := 0
	b.dev[1].OnOverrun = func(total int) { lost = total }
	b.up()
	for range 5 {
		b.dom.Do(func() {
			b.drv[0].Send("123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#", "123#")
		})
		b.advance(10 * time.Millisecond)
		b.drv[0].Sent()
	}
	if got := len(b.drv[1].Received()); got != 64 || lost != 6 {
		t.Errorf("%d arrived and %d were lost, want 64 and 6", got, lost)
	}
}

// TestBusOff: the driver is told, all its frames come back, and it starts the controller again.
func TestBusOff(t *testing.T) {
	b := newBench(t, timing, timing)
	b.up()
	b.advance(time.Millisecond)
	b.log = nil
	b.dom.Do(func() {
		b.bus.SetErrorRate(1)
		b.drv[0].Send("123#", "124#", "125#")
	})
	b.advance(100 * time.Millisecond)
	same(t, "sent", b.drv[0].Sent(), "123#!", "124#!", "125#!")
	same(t, "log", b.log, "error-passive", "bus-off", "configuration changed")
	if b.dev[0].Config()[0] != 1 || b.dev[1].Config()[0] != 0 {
		t.Errorf("the status is %d, and %d", b.dev[0].Config()[0], b.dev[1].Config()[0])
	}
	b.dom.Do(func() { b.drv[0].Send("126#") })
	same(t, "sent when it is bus-off", b.drv[0].Sent(), "126#!")
	b.log = nil
	b.dom.Do(func() {
		b.bus.SetErrorRate(0)
		b.drv[0].Down()
		b.drv[0].Up()
		b.drv[0].Send("127#")
	})
	b.advance(2 * time.Millisecond)
	same(t, "sent before it has recovered", b.drv[0].Sent())
	b.advance(2 * time.Millisecond)
	same(t, "sent", b.drv[0].Sent(), "127#")
	same(t, "received", b.drv[1].Received(), "127#")
	same(t, "log", b.log, "error-active")
	if b.dev[0].Config()[0] != 0 {
		t.Error("the status still says bus-off")
	}
}

// TestStop: frames that are not sent when the controller is stopped come back; a reset
// breaks off the one under way.
func TestStop(t *testing.T) {
	b := newBench(t, timing, timing)
	b.up()
	b.dom.Do(func() { b.drv[0].Send("123#", "124#") })
	b.advance(60 * time.Microsecond)
	b.dom.Do(b.drv[0].Down)
	same(t, "sent", b.drv[0].Sent(), "123#!", "124#!")
	b.dom.Do(func() {
		b.drv[0].Up()
		b.drv[0].Send("125#")
	})
	b.advance(time.Millisecond)
	same(t, "sent", b.drv[0].Sent(), "125#")
	b.dom.Do(func() { b.drv[0].Send("126#") })
	b.advance(30 * time.Microsecond)
	b.dom.Do(b.dev[0].Stop)
	b.advance(time.Millisecond)
	same(t, "received", b.drv[1].Received(), "125#")
	if _, rec := b.dev[1].Port().Counters(); rec != 1 { // for two that broke off, and one frame
		t.Errorf("the other has counted %d errors, want 1", rec)
	}
}

// TestBusyBus: a driver that always has frames keeps the bus busy to the bit.
func TestBusyBus(t *testing.T) {
	b := newBench(t, timing, timing)
	b.up()
	b.advance(time.Millisecond)
	f, err := bus.ParseFrame("2AA#5555555555555555")
	if err != nil {
		t.Fatal(err)
	}
	each := timing.Duration(&f) + timing.Intermission()
	b.dom.Do(func() { b.drv[0].Send(f.String(), f.String(), f.String()) })
	start := b.cal.Now()
	for i := range 500 {
		b.advance(start.Add(time.Duration(i+1) * each).Sub(b.cal.Now()))
		if n := len(b.drv[1].Received()); n != 1 {
			t.Fatalf("%d frames in the %dth time of one", n, i+1)
		}
		n := len(b.drv[0].Sent())
		b.dom.Do(func() {
			for range n {
				b.drv[0].Send(f.String())
			}
		})
	}
}

// BenchmarkFrame is a frame from a driver to another, and back to who sent it.
func BenchmarkFrame(b *testing.B) {
	cal := simbus.NewVirtual()
	defer cal.Close()
	dom, err := cal.AddDomain("boards")
	if err != nil {
		b.Fatal(err)
	}
	wires := bus.NewBus("bus", dom, nil)
	var rings [2]*virtiotest.Driver
	for i := range rings {
		c := can.NewController("can0", timing, dom)
		rings[i] = virtiotest.Start(b, c, 64, 0)
		if err := wires.Join(c.Port()); err != nil {
			b.Fatal(err)
		}
		dom.Do(func() { rings[i].Do(b, 2, []byte{1, 2}, 1) })
	}
	for range 64 {
		rings[1].Rings[1].Add(nil, []int{24})
	}
	rings[0].Rings[0].Add([][]byte{cantest.Message(&bus.Frame{ID: 0x123, Length: 8})}, []int{1})
	b.ReportAllocs()
	for b.Loop() {
		dom.Do(func() { rings[0].Kick(0) })
		if _, err := cal.Advance(context.Background(), cal.Now().Add(time.Millisecond), nil); err != nil {
			b.Fatal(err)
		}
		if rings[0].Rings[0].Reuse() != 1 || rings[1].Rings[1].Reuse() != 1 {
			b.Fatal("no frame")
		}
	}
}
