package can_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/can"

	"github.com/google/go-cmp/cmp"
)

// bit is how long one takes at the nominal rate of these tests.
const bit = 2 * time.Microsecond

var timing = can.Timing{Bitrate: 500_000, DataBitrate: 2_000_000}

// bench is a bus in virtual time with some stations on it.
type bench struct {
	t   *testing.T
	cal *simbus.Calendar
	dom *simbus.Domain
	bus *can.Bus
	log []string // what went over the bus
	all []*station
}

// station sends what is in its queue, and keeps what it gets.
type station struct {
	*can.Node
	b     *bench
	queue []can.Frame
	got   []string
}

func newBench(t *testing.T, stations int) *bench {
	t.Helper()
	b := &bench{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(b.cal.Close)
	var err error
	if b.dom, err = b.cal.AddDomain("boards"); err != nil {
		t.Fatal(err)
	}
	b.bus = can.NewBus("bus", b.dom, rand.New(rand.NewPCG(1, 2)))
	b.bus.Tap(func(at simbus.Time, from *can.Node, f *can.Frame, e *can.Error) {
		if e != nil {
			b.log = append(b.log, fmt.Sprintf("%s %s error by %s", at, e.Kind, e.By.Name()))
			return
		}
		b.log = append(b.log, fmt.Sprintf("%s %s from %s", at, f, from.Name()))
	})
	for i := range stations {
		b.add(fmt.Sprint("n", i), timing)
	}
	b.do(func() {
		for _, s := range b.all {
			s.Start()
		}
	})
	b.advance(time.Millisecond)
	return b
}

func (b *bench) add(name string, timing can.Timing) *station {
	b.t.Helper()
	s := &station{b: b}
	s.Node = can.NewNode(name, b.dom, timing, s)
	if err := b.bus.Join(s.Node); err != nil {
		b.t.Fatal(err)
	}
	b.all = append(b.all, s)
	return s
}

func (b *bench) do(f func()) { b.dom.Do(f) }

func (b *bench) advance(d time.Duration) {
	b.t.Helper()
	if _, err := b.cal.Advance(context.Background(), b.cal.Now().Add(d), nil); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.log); diff != "" {
		b.t.Errorf("on the bus (-want +got):\n%s", diff)
	}
}

func (s *station) counters(tec, rec int, state can.State) {
	s.b.t.Helper()
	if t, r := s.Counters(); t != tec || r != rec || s.State() != state {
		s.b.t.Errorf("%s: TEC %d, REC %d, %s; want %d, %d, %s", s.Name(), t, r, s.State(), tec, rec, state)
	}
}

// send queues frames, now.
func (s *station) send(texts ...string) {
	s.b.t.Helper()
	s.b.do(func() { s.queued(texts...) })
}

func (s *station) queued(texts ...string) {
	for _, text := range texts {
		f, err := can.ParseFrame(text)
		if err != nil {
			s.b.t.Fatal(err)
		}
		s.queue = append(s.queue, f)
	}
	if len(s.queue) == len(texts) {
		s.next()
	}
}

func (s *station) next() {
	if len(s.queue) > 0 {
		if err := s.Send(&s.queue[0]); err != nil {
			s.b.t.Error(err)
		}
	}
}

func (s *station) Sent() {
	s.queue = s.queue[1:]
	s.next()
}

func (s *station) Receive(f *can.Frame) { s.got = append(s.got, f.String()) }

func (s *station) Changed(state can.State) {
	if state == can.BusOff || state == can.Stopped {
		s.queue = nil
	}
}

// duration is how long frames take with the rest between them.
func duration(t *testing.T, texts ...string) (d time.Duration) {
	t.Helper()
	for _, text := range texts {
		f, err := can.ParseFrame(text)
		if err != nil {
			t.Fatal(err)
		}
		d += timing.Duration(&f) + timing.Intermission()
	}
	return d
}

func at(d time.Duration) simbus.Time { return simbus.Time(time.Millisecond + d) }

// TestArbitration: of nodes that have frames at once the least identifier is sent first, to
// the bit without a rest, and all others get it.
func TestArbitration(t *testing.T) {
	b := newBench(t, 4)
	frames := []string{"123#01", "123#R4", "048C0000#02", "12348000#03", "124#04"}
	b.do(func() {
		b.all[0].queued(frames[4], frames[3])
		b.all[1].queued(frames[1])
		b.all[2].queued(frames[0])
		b.all[3].queued(frames[2])
	})
	b.advance(10 * time.Millisecond)
	// 048C0000 has the uppermost 11 bits 123: base frames with them go first, then it.
	order := []string{"123#01", "123#R4", "048C0000#02", "124#04", "12348000#03"}
	from := []string{"n2", "n1", "n3", "n0", "n0"}
	var want []string
	for i := range order {
		want = append(want, fmt.Sprintf("%s %s from %s", at(duration(t, order[:i+1]...)-3*bit), order[i], from[i]))
	}
	b.want(want...)
	if diff := cmp.Diff([]string{order[0], order[1], order[2]}, b.all[0].got); diff != "" {
		t.Errorf("the last of them got (-want +got):\n%s", diff)
	}
}

// TestStartOfFrame: who has a frame before the sample point of another's start of frame takes
// part in the arbitration, and who has one later waits.
func TestStartOfFrame(t *testing.T) {
	for _, c := range []struct {
		later time.Duration
		first string
	}{{1700 * time.Nanosecond, "001#"}, {1800 * time.Nanosecond, "7FF#"}} {
		b := newBench(t, 2)
		b.all[0].send("7FF#")
		b.advance(c.later)
		b.all[1].send("001#")
		b.advance(time.Millisecond)
		want := fmt.Sprintf("%s %s", at(duration(t, c.first)-3*bit), c.first)
		if len(b.log) != 2 || b.log[0][:len(want)] != want {
			t.Errorf("%s later: %q, want %s first", c.later, b.log, want)
		}
	}
}

// TestTogether: nodes that are started at once take part at once: the first frame of one is
// acknowledged by the other, and both arbitrate.
func TestTogether(t *testing.T) {
	b := newBench(t, 0)
	for _, name := range []string{"x", "y", "z"} {
		b.add(name, timing)
	}
	b.do(func() {
		for i, s := range b.all {
			s.Start()
			s.queued(fmt.Sprintf("%03X#", 0x300-i))
		}
	})
	b.advance(time.Millisecond)
	start := at(11 * bit)
	b.want(fmt.Sprintf("%s 2FE# from z", start.Add(duration(t, "2FE#")-3*bit)), fmt.Sprintf("%s 2FF# from y", start.Add(duration(t, "2FE#", "2FF#")-3*bit)),
		fmt.Sprintf("%s 300# from x", start.Add(duration(t, "2FE#", "2FF#", "300#")-3*bit)))
}

// TestBusy: a busy bus carries as many frames as there is room for, to the nanosecond.
func TestBusy(t *testing.T) {
	b := newBench(t, 2)
	const text, n = "2AA#5555555555555555", 1000
	for range n {
		b.all[0].send(text)
	}
	b.advance(n*duration(t, text) - 3*bit)
	if got := len(b.all[1].got); got != n {
		t.Errorf("%d frames arrived, want %d", got, n)
	}
	b.advance(1)
	if want := fmt.Sprintf("%s %s from n0", at(n*duration(t, text)-3*bit), text); len(b.log) != n || b.log[n-1] != want {
		t.Errorf("%d frames, the last %q, want %q", len(b.log), b.log[len(b.log)-1], want)
	}
}

// TestNoAcknowledgement: a node that is alone tries for ever, and is error-passive after 16
// frames, but never bus-off.
func TestNoAcknowledgement(t *testing.T) {
	b := newBench(t, 1)
	s := b.all[0]
	s.send("555#")
	// From the start of frame to the end of the ACK slot; then a flag, its delimiter and intermission.
	attempt := duration(t, "555#") - (1+7+3)*bit + (6+8+3)*bit
	b.advance(15*attempt + attempt/2)
	s.counters(120, 0, can.ErrorActive)
	b.advance(attempt)
	s.counters(128, 0, can.ErrorPassive)
	b.log = nil
	b.advance(time.Second)
	s.counters(128, 0, can.ErrorPassive)
	if n, want := len(b.log), int(time.Second/(attempt+8*bit)); n != want && n != want+1 { // with suspended transmission
		t.Errorf("%d attempts in a second, want %d", n, want)
	}
	other := b.add("other", timing)
	b.do(other.Start)
	b.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"555#"}, other.got); diff != "" {
		t.Errorf("a node that joins later got (-want +got):\n%s", diff)
	}
	s.counters(127, 0, can.ErrorActive)
}

// TestBusError: a bit that is turned over costs the transmitter 8 and each receiver 1; 32 in
// a row are bus-off, and 128 times 11 recessive bits after it was started again the node is back.
func TestBusError(t *testing.T) {
	b := newBench(t, 3)
	s := b.all[0]
	b.do(func() { b.bus.SetErrorRate(1) })
	s.send("123#01", "123#02")
	for range 1000 {
		if b.advance(bit); len(b.log) == 1 {
			break
		}
	}
	s.counters(8, 0, can.ErrorActive)
	b.all[1].counters(0, 1, can.ErrorActive)
	b.advance(100 * time.Millisecond)
	s.counters(256, 0, can.BusOff)
	b.all[1].counters(0, 32, can.ErrorActive)
	if len(b.log) != 32 || len(s.queue) != 0 {
		t.Errorf("%d errors, and %d frames wait; want 32 and none", len(b.log), len(s.queue))
	}
	b.do(func() { b.bus.SetErrorRate(0) })
	b.log = nil
	b.do(s.Stop)
	s.counters(256, 0, can.BusOff)
	b.do(s.Start)
	b.advance(128*11*bit - 1)
	s.counters(256, 0, can.BusOff)
	b.advance(1 + 1)
	s.counters(0, 0, can.ErrorActive)
	s.send("123#03")
	b.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"123#03"}, b.all[1].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.all[1].counters(0, 31, can.ErrorActive)
}

// TestRecoveryOnABusyBus: what counts are spells of eleven recessive bits, one of which each
// frame ends with.
func TestRecoveryOnABusyBus(t *testing.T) {
	b := newBench(t, 3)
	s := b.all[0]
	b.do(func() { s.SetCounters(can.MaxCounter, 0) })
	s.counters(256, 0, can.BusOff)
	for range 200 {
		b.all[1].send("555#")
	}
	b.do(s.Start)
	b.advance(127*duration(t, "555#") + duration(t, "555#")/2)
	s.counters(256, 0, can.BusOff)
	b.advance(duration(t, "555#") + bit)
	s.counters(0, 0, can.ErrorActive)
}

// TestLocalError: a receiver that misreads a frame has it sent again, and is blamed for it.
func TestLocalError(t *testing.T) {
	b := newBench(t, 3)
	b.do(func() { b.all[2].SetErrorRate(1) })
	b.all[0].send("123#01")
	b.advance(duration(t, "123#01")) // the frame to its ACK delimiter, and the flag
	b.all[0].counters(8, 0, can.ErrorActive)
	b.all[1].counters(0, 1, can.ErrorActive)
	b.all[2].counters(0, 9, can.ErrorActive)
	b.advance(100 * time.Millisecond)
	// Once it is error-passive it disturbs nobody any more.
	b.all[1].counters(0, 14, can.ErrorActive) // 15 errors, and the frame
	if diff := cmp.Diff([]string{"123#01"}, b.all[1].got); diff != "" || len(b.all[2].got) != 0 || b.all[2].State() != can.ErrorPassive {
		t.Errorf("%s, the other one got %q (-want +got):\n%s", b.all[2].State(), b.all[2].got, diff)
	}
}

// TestSameIdentifier: two nodes with one identifier and other data are in each other's way
// until one of them gives way as it is error-passive.
func TestSameIdentifier(t *testing.T) {
	b := newBench(t, 3)
	b.do(func() {
		b.all[0].queued("123#FF")
		b.all[1].queued("123#00")
	})
	b.advance(100 * time.Millisecond)
	if len(b.log) < 17 || b.log[0][len(b.log[0])-15:] != " bit error by n0"[1:] {
		t.Errorf("%q", b.log)
	}
	if diff := cmp.Diff([]string{"123#00", "123#FF"}, b.all[2].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := newBench(t, 3)
	c.do(func() {
		c.all[0].queued("123#FF")
		c.all[1].queued("123#FF")
	})
	c.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"123#FF"}, c.all[2].got); diff != "" || len(c.log) != 1 || len(c.all[0].queue)+len(c.all[1].queue) != 0 {
		t.Errorf("the same frame from both: %q", c.log)
	}
}

// TestDominant: on a bus that is held dominant a transmitter is bus-off after 31 times eight
// bits, and receivers become error-passive. When it is let go, they go on.
func TestDominant(t *testing.T) {
	b := newBench(t, 3)
	b.all[0].send("123#0102030405060708")
	b.advance(50 * bit)
	b.do(func() { b.bus.SetDominant(true) })
	b.advance(bit)
	b.all[0].counters(8, 0, can.ErrorActive)
	b.all[1].counters(0, 1, can.ErrorActive)
	b.advance(7 * bit)
	b.all[1].counters(0, 9, can.ErrorActive)
	b.advance((6+8+29*8)*bit - 7*bit)
	b.all[0].counters(248, 0, can.ErrorPassive)
	b.advance(8 * bit)
	b.all[0].counters(256, 0, can.BusOff)
	b.all[1].counters(0, 129, can.ErrorPassive)
	b.all[1].send("001#")
	b.advance(time.Second)
	b.all[1].counters(0, 129, can.ErrorPassive)
	b.do(func() { b.bus.SetDominant(false) })
	b.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"001#"}, b.all[2].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.all[2].counters(0, 127, can.ErrorActive)

	idle := newBench(t, 1)
	idle.do(func() { idle.bus.SetDominant(true) })
	idle.advance(7 * bit)
	idle.all[0].counters(0, 1, can.ErrorActive)
	idle.advance(6*bit + bit)
	idle.all[0].counters(0, 9, can.ErrorActive)
	idle.advance(time.Second)
	idle.all[0].counters(0, 129, can.ErrorPassive)
}

// TestLeave: a node that is cut off in the middle of its frame leaves an error behind, and is
// alone; what it has to send it sends when it is back.
func TestLeave(t *testing.T) {
	b := newBench(t, 3)
	s := b.all[0]
	s.send("123#01")
	b.advance(30 * bit)
	b.do(func() { b.bus.Leave(s.Node) })
	b.advance(10 * time.Millisecond)
	s.counters(128, 0, can.ErrorPassive)
	b.all[1].counters(0, 1, can.ErrorActive)
	b.all[1].send("222#")
	b.advance(time.Millisecond)
	var err error
	b.do(func() { err = b.bus.Join(s.Node) })
	b.advance(10 * time.Millisecond)
	if diff := cmp.Diff([]string{"222#", "123#01"}, b.all[2].got); err != nil || diff != "" || len(s.got) != 0 {
		t.Errorf("%v, %q (-want +got):\n%s", err, s.got, diff)
	}
}

// TestEndOfFrame: after the ACK slot a frame is recessive to its end, and needs its transmitter
// no more. A receiver that has misread it and leaves before it tells disturbs nobody.
func TestEndOfFrame(t *testing.T) {
	for _, c := range []struct {
		before int // bits before the end of the frame
		do     func(b *bench)
	}{
		{7, func(b *bench) { b.all[0].Stop() }},
		{1, func(b *bench) { b.bus.Leave(b.all[0].Node) }},
		{8, func(b *bench) { b.all[1].Stop() }},
	} {
		b := newBench(t, 3)
		b.do(func() { b.all[1].SetErrorRate(1) })
		if c.before != 8 {
			b.do(func() { b.all[1].Stop() })
		}
		b.all[0].send("123#01")
		b.advance(duration(t, "123#01") - time.Duration(3+c.before)*bit + bit/2)
		b.do(func() { c.do(b) })
		b.advance(time.Duration(c.before) * bit)
		b.want(fmt.Sprintf("%s 123#01 from n0", at(duration(t, "123#01")-3*bit)))
		if diff := cmp.Diff([]string{"123#01"}, b.all[2].got); diff != "" {
			t.Errorf("%d bits before the end (-want +got):\n%s", c.before, diff)
		}
		b.all[1].counters(0, 0, can.Stopped)
		b.all[2].counters(0, 0, can.ErrorActive)
	}
}

// TestNobodyElse: nodes that all send the same frame are no receivers of it: nobody
// acknowledges. They go on together until there is one that has nothing to send.
func TestNobodyElse(t *testing.T) {
	b := newBench(t, 3)
	b.do(func() {
		for _, s := range b.all {
			s.queued("123#FF")
		}
	})
	b.advance(time.Second)
	for _, s := range b.all {
		s.counters(128, 0, can.ErrorPassive)
	}
	b.log = nil
	listener := b.add("listener", timing)
	b.do(listener.Start)
	b.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"123#FF"}, listener.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range b.all[:3] {
		s.counters(127, 0, can.ErrorActive)
	}
}

// TestStopped: a node that is stopped or has just been started neither acknowledges nor sends.
func TestStopped(t *testing.T) {
	b := newBench(t, 2)
	b.do(b.all[1].Stop)
	b.all[0].send("123#")
	b.advance(time.Millisecond)
	if tec, _ := b.all[0].Counters(); tec == 0 || len(b.all[1].got) != 0 {
		t.Errorf("TEC %d, the stopped one got %q", tec, b.all[1].got)
	}
	var err error
	b.do(func() { err = b.all[1].Send(&can.Frame{}) })
	if err == nil {
		t.Error("a stopped node takes a frame")
	}
	b.do(b.all[1].Start)
	b.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"123#"}, b.all[1].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClassicNode: FD frames pass a classic node by, whose bit rate has to be that of the bus.
func TestClassicNode(t *testing.T) {
	b := newBench(t, 2)
	old := b.add("old", can.Timing{Bitrate: 500_000})
	b.do(old.Start)
	b.advance(time.Millisecond)
	b.log = nil
	b.all[0].send("123##1AABB", "123#CC", "00000001##0")
	b.advance(10 * time.Millisecond)
	if diff := cmp.Diff([]string{"123#CC"}, old.got); diff != "" {
		t.Errorf("the classic one got (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"123##1AABB", "123#CC", "00000001##0"}, b.all[1].got); diff != "" {
		t.Errorf("the other one got (-want +got):\n%s", diff)
	}
	for _, wrong := range []can.Timing{{Bitrate: 250_000}, {Bitrate: 500_000, DataBitrate: 4_000_000}} {
		if err := b.bus.Join(can.NewNode("x", b.dom, wrong, old)); !errors.Is(err, can.ErrTiming) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// TestPassiveWaits: an error-passive transmitter leaves the bus to others after its frame.
func TestPassiveWaits(t *testing.T) {
	b := newBench(t, 3)
	b.do(func() {
		b.all[0].SetCounters(200, 0)
		b.all[0].queued("100##1", "101#")
	})
	b.advance(20 * bit)
	b.all[1].send("700#")
	b.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"100##3", "700#", "101#"}, b.all[2].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
