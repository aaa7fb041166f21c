package block_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/block"
	"backplane/periph/block/blocktest"
	"backplane/periph/block/image"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

const (
	kib  = 1 << 10
	size = 256 * kib
)

// bench is a disk with its driver, in virtual time.
type bench struct {
	t     *testing.T
	cal   *simbus.Calendar
	disk  *block.Disk
	d     *virtiotest.Driver
	fails []string
	lost  int64
}

var quick = block.Timing{ReadLatency: 100 * time.Microsecond, WriteLatency: 200 * time.Microsecond, FlushLatency: time.Millisecond, ReadRate: 100_000_000, WriteRate: 50_000_000, Depth: 1}

func newBench(t *testing.T, change func(o *block.Options)) *bench {
	t.Helper()
	b := &bench{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(func() { b.cal.Close() })
	domain, err := b.cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	o := block.Options{Serial: "S123", Cache: 1 << 20, Timing: quick, Clock: domain, Rand: rand.New(rand.NewPCG(1, 2)),
		Failed: func(op string, sector int64, why string) { b.fails = append(b.fails, op+" "+why) },
		Lost:   func(n int64) { b.lost += n }}
	if change != nil {
		change(&o)
	}
	b.disk = block.New("disk0", o)
	contents, err := image.Temporary(nil, size)
	if err != nil {
		t.Fatal(err)
	}
	b.disk.Insert(contents, false)
	t.Cleanup(func() { b.disk.Close() })
	b.boot()
	return b
}

func (b *bench) boot() { b.d = virtiotest.Start(b.t, b.disk, 16, 0) }

// ask sends a request, and returns its status and what it has read.
func (b *bench) ask(request []byte, room int) (status byte, data []byte) {
	b.t.Helper()
	b.d.Rings[0].Add([][]byte{request[:10], request[10:]}, []int{room, 1})
	b.d.Kick(0)
	return b.answer()
}

func (b *bench) answer() (status byte, data []byte) {
	b.t.Helper()
	if _, err := b.cal.Advance(b.t.Context(), b.cal.Now().Add(time.Second), nil); err != nil {
		b.t.Fatal(err)
	}
	got := b.d.Rings[0].Results()
	if len(got) != 1 {
		b.t.Fatalf("%d answers (device stopped: %v)", len(got), b.d.Failure)
	}
	all := got[0].Bytes()
	return all[len(all)-1], all[:len(all)-1]
}

func (b *bench) want(what string, status byte, request []byte, room int) []byte {
	b.t.Helper()
	got, data := b.ask(request, room)
	if got != status {
		b.t.Errorf("%s: status %d, want %d", what, got, status)
	}
	return data
}

const (
	ok          = 0
	ioError     = 1
	unsupported = 2
)

// TestReadWrite: what is written is read, wherever requests are cut.
func TestReadWrite(t *testing.T) {
	b := newBench(t, nil)
	text := bytes.Repeat([]byte("0123456789abcdef"), 96) // three sectors
	b.want("write", ok, blocktest.Write(7, text), 0)
	if got := b.want("read", ok, blocktest.Read(8), 512); !bytes.Equal(got, text[512:1024]) {
		t.Errorf("read %.20q", got)
	}
	b.want("zeroes", ok, blocktest.Erase(blocktest.Zeroes, 8, 1, 0), 0)
	if got := b.want("read", ok, blocktest.Read(7), 1536); !bytes.Equal(got[:512], text[:512]) || !bytes.Equal(got[512:1024], make([]byte, 512)) || !bytes.Equal(got[1024:], text[1024:]) {
		t.Errorf("read %.20q", got)
	}
	b.want("flush", ok, blocktest.Flush(), 0)
	if id := b.want("id", ok, blocktest.ID(), 20); string(bytes.TrimRight(id, "\x00")) != "S123" {
		t.Errorf("id %q", id)
	}
	for name, want := range map[string]float64{"reads": 2, "writes": 2, "flushes": 1, "unflushed": 0} {
		if got := b.disk.Get(name).Float(); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
}

// TestBadRequests are refused one by one, and the disk goes on.
func TestBadRequests(t *testing.T) {
	b := newBench(t, nil)
	const sectors = size / 512
	huge := blocktest.Erase(blocktest.Discard, 0, 1, 0)
	binary.LittleEndian.PutUint64(huge[16:], 1<<63)
	for name, c := range map[string]struct {
		request []byte
		room    int
		status  byte
	}{
		"read behind the end":          {blocktest.Read(sectors), 512, ioError},
		"read over the end":            {blocktest.Read(sectors - 1), 1024, ioError},
		"read of half a sector":        {blocktest.Read(0), 100, ioError},
		"read of nothing":              {blocktest.Read(0), 0, ioError},
		"read at the end of numbers":   {blocktest.Read(1<<64 - 1), 1024, ioError},
		"read at 2^55":                 {blocktest.Read(1 << 55), 512, ioError},
		"write behind the end":         {blocktest.Write(sectors, make([]byte, 512)), 0, ioError},
		"write of half a sector":       {blocktest.Write(0, make([]byte, 100)), 0, ioError},
		"write of nothing":             {blocktest.Write(0, nil), 0, ioError},
		"unknown type":                 {append([]byte{99}, make([]byte, 15)...), 0, unsupported},
		"id with little room":          {blocktest.ID(), 19, ioError},
		"discard of nothing":           {blocktest.Erase(blocktest.Discard, 0, 0, 0), 0, ioError},
		"discard behind the end":       {blocktest.Erase(blocktest.Discard, sectors, 1, 0), 0, ioError},
		"discard over the end":         {blocktest.Erase(blocktest.Discard, 1, sectors, 0), 0, ioError},
		"discard at a negative place":  {huge, 0, ioError},
		"discard with unmap":           {blocktest.Erase(blocktest.Discard, 0, 1, 1), 0, unsupported},
		"zeroes with an unknown flag":  {blocktest.Erase(blocktest.Zeroes, 0, 1, 2), 0, unsupported},
		"discard without a segment":    {blocktest.Erase(blocktest.Discard, 0, 1, 0)[:16], 0, ioError},
		"discard with half a segment":  {blocktest.Erase(blocktest.Discard, 0, 1, 0)[:24], 0, ioError},
		"discard of too many segments": {append(blocktest.Erase(blocktest.Discard, 0, 1, 0), make([]byte, 16*16)...), 0, ioError},
	} {
		b.want(name, c.status, c.request, c.room)
	}
	b.want("a good one", ok, blocktest.Read(sectors-1), 512)
	for what, broken := range map[string]func(r *virtiotest.Ring){
		"no room for the status": func(r *virtiotest.Ring) { r.Add([][]byte{blocktest.Read(0)}, nil) },
		"half a head":            func(r *virtiotest.Ring) { r.Add([][]byte{make([]byte, 15)}, []int{512, 1}) },
	} {
		b := newBench(t, nil)
		broken(b.d.Rings[0])
		if b.d.Kick(0); b.d.Failure == nil {
			t.Errorf("%s: the device goes on", what)
		}
	}
}

// TestTooMany: a driver that makes more requests than its ring holds breaks its disk.
func TestTooMany(t *testing.T) {
	b := newBench(t, nil)
	head := b.d.Rings[0].Add([][]byte{blocktest.Read(0)}, []int{512, 1})
	for range 15 {
		b.d.Rings[0].Publish(head)
	}
	if b.d.Kick(0); b.d.Failure != nil {
		t.Fatal(b.d.Failure)
	}
	b.d.Rings[0].Publish(head)
	if b.d.Kick(0); b.d.Failure == nil || !strings.Contains(b.d.Failure.Error(), "more than 16 requests are under way") {
		t.Errorf("failure %v", b.d.Failure)
	}
}

// TestTimes: requests take what their disk's timing says, and nothing of the host's.
func TestTimes(t *testing.T) {
	at := func(depth int, requests ...[]byte) (times []time.Duration) {
		b := newBench(t, func(o *block.Options) { o.Timing.Depth = depth })
		for _, r := range requests {
			b.d.Rings[0].Add([][]byte{r}, []int{1})
		}
		b.d.Kick(0)
		start := b.cal.Now()
		if _, err := b.cal.Advance(t.Context(), start.Add(time.Nanosecond), nil); err != nil {
			t.Fatal(err)
		}
		for len(times) < len(requests) {
			if _, err := b.cal.Advance(t.Context(), b.cal.Now().Add(time.Microsecond), nil); err != nil {
				t.Fatal(err)
			}
			for range b.d.Rings[0].Results() {
				times = append(times, b.cal.Now().Sub(start).Truncate(time.Microsecond))
			}
		}
		return times
	}
	write := blocktest.Write(0, make([]byte, 4096)) // 200 us, and 81.92 us of data
	for _, c := range []struct {
		depth    int
		requests [][]byte
		want     []time.Duration
	}{
		{1, [][]byte{write, write, blocktest.Flush()}, []time.Duration{282, 564, 1564}},
		{2, [][]byte{write, write, write, blocktest.Flush()}, []time.Duration{282, 364, 564, 1564}},
		{4, [][]byte{blocktest.Flush(), write}, []time.Duration{1000, 1282}},
		{1, [][]byte{blocktest.Erase(blocktest.Discard, 0, 100, 0)}, []time.Duration{200}},
	} {
		got := at(c.depth, c.requests...)
		for i, want := range c.want {
			if got[i] != want*time.Microsecond {
				t.Errorf("%d at once: %v, want %d us", c.depth, got, c.want)
				break
			}
		}
	}
}

// TestPowerCut: what was flushed is there, and the rest is not; a disk that lies has lost
// that as well.
func TestPowerCut(t *testing.T) {
	for _, lie := range []bool{false, true} {
		b := newBench(t, nil)
		_ = b.disk.Set("lie_about_flush", periph.On(lie))
		one, two := bytes.Repeat([]byte{1}, 4096), bytes.Repeat([]byte{2}, 4096)
		b.want("write", ok, blocktest.Write(0, one), 0)
		b.want("flush", ok, blocktest.Flush(), 0)
		b.want("write", ok, blocktest.Write(0, two), 0)
		b.d.Rings[0].Add([][]byte{blocktest.Write(8, two)}, []int{1}) // under way
		b.d.Kick(0)
		b.disk.Stop()
		b.disk.Power(false)
		b.disk.Power(true)
		b.boot()
		want, lost := one, int64(4096)
		if lie {
			want, lost = make([]byte, 4096), 8192
		}
		if got := b.want("read", ok, blocktest.Read(0), 4096); !bytes.Equal(got, want) || b.lost != lost {
			t.Errorf("lie %t: it has %d..., and %d bytes are lost, want %d", lie, got[0], b.lost, lost)
		}
		if got := b.want("read", ok, blocktest.Read(8), 512); got[0] != 0 {
			t.Error("a write that was under way has come to the medium")
		}
	}
}

// TestReset: a guest that restarts without a loss of power finds what it has written.
func TestReset(t *testing.T) {
	b := newBench(t, nil)
	b.want("write", ok, blocktest.Write(0, bytes.Repeat([]byte{1}, 512)), 0)
	b.disk.Stop()
	b.boot()
	if got := b.want("read", ok, blocktest.Read(0), 512); got[0] != 1 {
		t.Error("it is lost")
	}
}

// TestWriteThrough: a driver that switches the cache off, or does not know of it, loses nothing.
func TestWriteThrough(t *testing.T) {
	for name, c := range map[string]struct {
		cache int64
		off   bool
	}{"switched off": {1 << 20, true}, "none": {0, false}} {
		b := newBench(t, func(o *block.Options) { o.Cache = c.cache })
		if c.off {
			if err := b.disk.SetConfig(32, []byte{0}); err != nil || b.disk.Config()[32] != 0 {
				t.Fatalf("%v", err)
			}
		} else if b.disk.Features()&(1<<9) != 0 || b.disk.SetConfig(32, []byte{0}) == nil {
			t.Error("a disk without a cache has one to flush")
		}
		b.want("write", ok, blocktest.Write(0, bytes.Repeat([]byte{1}, 512)), 0)
		b.disk.Stop()
		b.disk.Power(false)
		b.boot()
		if got := b.want("read", ok, blocktest.Read(0), 512); got[0] != 1 || b.lost != 0 {
			t.Errorf("%s: it is lost", name)
		}
	}
	b := newBench(t, nil)
	for _, bad := range []struct {
		at   int
		data []byte
	}{{0, []byte{0}}, {32, []byte{2}}, {32, []byte{0, 0}}} {
		if b.disk.SetConfig(bad.at, bad.data) == nil {
			t.Errorf("% x at %d is taken", bad.data, bad.at)
		}
	}
}

// TestCacheStaysOff: what a driver has set holds for those after it, as long as there is power.
func TestCacheStaysOff(t *testing.T) {
	b := newBench(t, nil)
	if err := b.disk.SetConfig(32, []byte{0}); err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte{1}, 512)
	for _, c := range []struct {
		when      string
		writeback byte
		lost      int64
	}{{"after a reset", 0, 0}, {"after a loss of power", 1, 4096}} {
		b.disk.Stop()
		b.boot()
		if got := b.disk.Config()[32]; got != c.writeback {
			t.Errorf("%s: writeback is %d, want %d", c.when, got, c.writeback)
		}
		b.want("write", ok, blocktest.Write(0, text), 0)
		b.lost = 0
		b.disk.Power(false)
		b.disk.Power(true)
		if b.lost != c.lost {
			t.Errorf("%s: %d bytes are lost, want %d", c.when, b.lost, c.lost)
		}
	}
}

// TestDrain: what is under way is done and answered before its queue goes, in either time,
// and once.
func TestDrain(t *testing.T) {
	b := newBench(t, func(o *block.Options) { o.Timing.Depth = 2 })
	text := bytes.Repeat([]byte{1}, 512)
	for sector := range uint64(4) {
		b.d.Rings[0].Add([][]byte{blocktest.Write(sector, text)}, []int{1})
	}
	b.d.Kick(0)
	b.disk.Drain()
	if got := b.d.Rings[0].Results(); len(got) != 4 || got[0].Bytes()[0] != ok {
		t.Errorf("%d answers", len(got))
	}
	b.disk.Stop()
	b.boot()
	if got := b.want("read", ok, blocktest.Read(0), 4096); !bytes.Equal(got[:2048], bytes.Repeat(text, 4)) {
		t.Errorf("it has % x...", got[:8])
	}

	disk, domain := inRealTime(t)
	domain.Do(func() {
		if err := disk.Set("delay", periph.Num(3.6e6)); err != nil { // an hour
			t.Error(err)
		}
		d := virtiotest.Start(t, disk, 16, 0)
		for range 2 {
			for sector := range uint64(8) {
				d.Rings[0].Add([][]byte{blocktest.Write(sector, text)}, []int{1})
			}
			d.Kick(0)
			disk.Drain()
			if n := len(d.Rings[0].Results()); n != 8 {
				t.Errorf("%d answers in real time", n)
			}
		}
		disk.Stop()
	})
}

// TestFaults: each fault fails the requests that it is about, says so, and goes away.
func TestFaults(t *testing.T) {
	write, read := blocktest.Write(16, make([]byte, 1024)), blocktest.Read(16)
	for _, c := range []struct {
		property, off string
		value         periph.Value
		write, read   byte
		says          string
	}{
		{"read_only", "", periph.On(true), ioError, ok, "write read-only"},
		{"full", "", periph.On(true), ioError, ok, "write full"},
		{"bad_sectors", "", periph.Str("17"), ioError, ioError, "write bad sector,read bad sector"},
		{"bad_sectors", "", periph.Str("0-15 18-99999999"), ok, ok, ""},
		{"delay", "", periph.Num(30), ok, ok, ""},
	} {
		b := newBench(t, nil)
		if err := b.disk.Set(c.property, c.value); err != nil {
			t.Fatal(err)
		}
		if got := b.disk.Get(c.property); got != c.value {
			t.Errorf("%s is %v, want %v", c.property, got, c.value)
		}
		b.want(c.property+": write", c.write, write, 0)
		b.want(c.property+": read", c.read, read, 1024)
		if got := strings.Join(b.fails, ","); got != c.says {
			t.Errorf("%s: it says %q, want %q", c.property, got, c.says)
		}
		if err := b.disk.Set(c.property, periph.Value{}); err != nil {
			t.Fatal(err)
		}
		b.want(c.property+" is gone: write", ok, write, 0)
		_ = b.disk.Set("full", periph.On(true))
		b.want("a block that is there", ok, write, 0)
	}
	b := newBench(t, func(o *block.Options) { o.ReadOnly = true })
	b.want("write", ioError, write, 0)
	if b.disk.Features()&(1<<5) == 0 || b.disk.Set("read_only", periph.On(false)) == nil || b.disk.Set("bad_sectors", periph.Str("9-3")) == nil {
		t.Error("it is not read-only, or takes bad values")
	}
	sectors := binary.LittleEndian.Uint64(b.disk.Config())
	if err := b.disk.Set("bad_sectors", periph.Str(fmt.Sprint("3 ", sectors))); err == nil || err.Error() != fmt.Sprintf("the disk has no sector %d: it has %d, from 0 on", sectors, sectors) {
		t.Errorf("a sector behind the end: %v", err)
	}
}

// TestDelay: a slow disk takes so much longer.
func TestDelay(t *testing.T) {
	b := newBench(t, nil)
	_ = b.disk.Set("delay", periph.Num(30))
	b.d.Rings[0].Add([][]byte{blocktest.Read(0)}, []int{512, 1})
	b.d.Kick(0)
	early, err := b.cal.Advance(t.Context(), b.cal.Now().Add(30*time.Millisecond), nil)
	if n := len(b.d.Rings[0].Results()); n != 0 || err != nil {
		t.Errorf("%d answers at %v, %v", n, early, err)
	}
	b.answer()
}

// inRealTime is a disk without anything on it.
func inRealTime(t *testing.T) (*block.Disk, *simbus.Domain) {
	t.Helper()
	cal := simbus.NewReal()
	t.Cleanup(cal.Close)
	domain, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	contents, err := image.Temporary(nil, size)
	if err != nil {
		t.Fatal(err)
	}
	disk := block.New("disk0", block.Options{Cache: 1 << 20, Timing: quick, Clock: domain, Post: domain.Post})
	disk.Insert(contents, true)
	t.Cleanup(func() { disk.Close() })
	return disk, domain
}

// TestReal: in real time other goroutines do the work; all requests are answered, and
// what is under way ends with Stop.
func TestReal(t *testing.T) {
	disk, domain := inRealTime(t)
	const rounds = 300
	requests := [][]byte{blocktest.Write(0, bytes.Repeat([]byte{7}, 8192)), blocktest.Flush(), blocktest.Erase(blocktest.Discard, 64, 64, 0), blocktest.Write(100, make([]byte, 512))}
	var d *virtiotest.Driver
	domain.Do(func() { d = virtiotest.Start(t, disk, 16, 0) })
	answered := make(chan int)
	for range rounds {
		domain.Do(func() {
			for _, r := range requests {
				d.Rings[0].Add([][]byte{r}, []int{1})
			}
			d.Kick(0)
		})
		for left := len(requests); left > 0; {
			go domain.Do(func() {
				results := d.Rings[0].Results()
				for _, u := range results {
					if u.Bytes()[0] != ok {
						t.Errorf("status %d", u.Bytes()[0])
					}
				}
				answered <- len(results)
			})
			left -= <-answered
		}
	}
	domain.Do(func() {
		for range 4 {
			d.Rings[0].Add([][]byte{requests[0]}, []int{1})
		}
		d.Kick(0)
		disk.Stop()
		disk.Power(false)
		d = virtiotest.Start(t, disk, 16, virtio.FeatureEventIdx)
		if n := len(d.Rings[0].Results()); n != 0 {
			t.Errorf("%d answers of the guest before", n)
		}
		disk.Stop()
	})
}

// TestReadsAllocateNothing measures the way of a read.
func TestReadsAllocateNothing(t *testing.T) {
	b := newBench(t, nil)
	b.d.Rings[0].Add([][]byte{blocktest.Read(0)}, []int{4096, 1})
	again := b.d.Reads(t, 1)
	wait := func() {
		if _, err := b.cal.Advance(t.Context(), b.cal.Now().Add(time.Second), nil); err != nil {
			t.Fatal(err)
		}
	}
	idle := testing.AllocsPerRun(100, wait)
	n := testing.AllocsPerRun(100, func() { wait(); again() })
	if n > idle+1 { // the calendar's timer
		t.Errorf("a read allocates %v times", n-idle)
	}
}
