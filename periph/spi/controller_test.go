package spi_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"backplane/periph/spi"
	"backplane/periph/spi/spitest"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"github.com/google/go-cmp/cmp"
)

// head is struct spi_transfer_head.
type head struct {
	cs, bits, change, txLines, rxLines uint8
	mode, hz                           uint32
	word, setup, hold, inactive        uint32
}

func (h head) bytes() []byte {
	b := []byte{h.cs, h.bits, h.change, h.txLines, h.rxLines, 0, 0, 0}
	for _, v := range []uint32{h.mode, h.hz, h.word, h.setup, h.hold, h.inactive} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// everything are the limits of a target that understands everything.
var everything = spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode1, spi.Mode2, spi.Mode3, spi.CSHigh}}

const (
	paramErr = "param"
	ok       = "ok"
)

// driver makes transfers one by one.
type driver struct {
	t *testing.T
	d *virtiotest.Driver
}

// do makes a transfer; a nil tx only reads. Its result is what was read, or the status.
func (d *driver) do(h head, tx []byte, read int) string {
	d.t.Helper()
	r := d.d.Rings[0]
	out := [][]byte{h.bytes()}
	if tx != nil {
		out = append(out, tx)
	}
	in := []int{1}
	if read > 0 {
		in = []int{read, 1}
	}
	r.Add(out, in)
	d.d.Kick(0)
	if d.d.Failure != nil {
		d.t.Fatal(d.d.Failure)
	}
	used := r.Results()
	if len(used) != 1 {
		d.t.Fatalf("%d answers, want 1", len(used))
	}
	return text(used[0].In)
}

func text(in [][]byte) string {
	switch status := in[len(in)-1][0]; {
	case status == 1:
		return paramErr
	case status != 0:
		return fmt.Sprint("status ", status)
	case len(in) > 1:
		return fmt.Sprintf("%x", in[0])
	}
	return ok
}

func start(t *testing.T, frequency int) (*spi.Controller, *driver) {
	c := spi.NewController("spi0", spi.Config{Frequency: frequency}, nil, nil)
	return c, &driver{t, virtiotest.Start(t, c, 16, 0)}
}

// TestSelections: cs_change tells what becomes of the chip select after a transfer.
func TestSelections(t *testing.T) {
	c, d := start(t, 0)
	script, err := spitest.Play("W 9f R ef 40 17", "X 05 00 = ff 02", "W 06", "W 04")
	if err == nil {
		err = c.Attach(2, script, everything)
	}
	if err == nil {
		err = c.Attach(3, &echo{}, everything)
	}
	if err != nil {
		t.Fatal(err)
	}
	stay := head{cs: 2, bits: 8, hz: 1000}
	last := stay
	last.change = 1
	other := last
	other.cs = 3
	for i, step := range []struct {
		h    head
		tx   []byte
		read int
		want string
	}{
		{stay, []byte{0x9f}, 0, ok},
		{last, nil, 3, "ef4017"},
		{last, []byte{5, 0}, 2, "ff02"},
		{stay, []byte{6}, 0, ok},
		{other, []byte{1, 2}, 2, "0102"}, // another chip: the first one is released
		{stay, []byte{4}, 0, ok},
		{head{cs: 2, bits: 99, hz: 1}, []byte{4}, 0, paramErr}, // what is refused ends the selection
	} {
		if got := d.do(step.h, step.tx, step.read); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
	if err := script.Err(); err != nil {
		t.Error(err)
	}
}

// echo is a wire from MOSI to MISO.
type echo struct{ selected, bits int }

func (e *echo) Select()   { e.selected++ }
func (e *echo) Deselect() { e.selected-- }
func (e *echo) Exchange(tx, rx []byte, bits int) {
	e.bits += bits
	copy(rx, tx)
}

// TestParameters: what the device has not is refused, as the specification demands.
func TestParameters(t *testing.T) {
	good := head{cs: 1, bits: 8, change: 1, hz: 1_000_000}
	for name, c := range map[string]struct {
		change   func(h *head)
		tx, read int
		want     string
	}{
		"good":             {func(*head) {}, 2, 2, "0000"},
		"one line each":    {func(h *head) { h.txLines, h.rxLines = 1, 1 }, 2, 2, "0000"},
		"chip select":      {func(h *head) { h.cs = spi.MaxSelects }, 1, 0, paramErr},
		"no bits":          {func(h *head) { h.bits = 0 }, 1, 0, paramErr},
		"too many bits":    {func(h *head) { h.bits = 33 }, 4, 0, paramErr},
		"cs_change":        {func(h *head) { h.change = 2 }, 1, 0, paramErr},
		"dual write":       {func(h *head) { h.txLines = 2 }, 1, 0, paramErr},
		"quad read":        {func(h *head) { h.rxLines = 4 }, 0, 1, paramErr},
		"unknown mode":     {func(h *head) { h.mode = 1 << 5 }, 1, 0, paramErr},
		"no clock":         {func(h *head) { h.hz = 0 }, 1, 0, paramErr},
		"too fast":         {func(h *head) { h.hz = 2_000_001 }, 1, 0, paramErr},
		"half a word":      {func(h *head) { h.bits = 16 }, 3, 0, paramErr},
		"no data":          {func(*head) {}, 0, 0, paramErr},
		"unequal":          {func(*head) {}, 2, 3, paramErr},
		"word delay":       {func(h *head) { h.word = 1e9 + 1 }, 1, 0, paramErr},
		"set-up":           {func(h *head) { h.setup = 1e9 + 1 }, 1, 0, paramErr},
		"hold":             {func(h *head) { h.hold = 1e9 + 1 }, 1, 0, paramErr},
		"inactive":         {func(h *head) { h.inactive = ^uint32(0) }, 1, 0, paramErr},
		"nobody is a chip": {func(h *head) { h.cs = 7 }, 0, 2, "ffff"},
	} {
		t.Run(name, func(t *testing.T) {
			cal, domain := board(t)
			dev := spi.NewController("spi0", spi.Config{Frequency: 2_000_000}, domain, nil)
			if err := dev.Attach(1, &echo{}, everything); err != nil {
				t.Fatal(err)
			}
			d := virtiotest.Start(t, dev, 16, 0)
			h := good
			c.change(&h)
			out, in := [][]byte{h.bytes()}, []int{1}
			if c.tx > 0 {
				out = append(out, make([]byte, c.tx))
			}
			if c.read > 0 {
				in = []int{c.read, 1}
			}
			d.Rings[0].Add(out, in)
			d.Kick(0)
			advance(t, cal, time.Second)
			if used := d.Rings[0].Results(); len(used) != 1 || text(used[0].In) != c.want {
				t.Errorf("answers %v, want one of %s", used, c.want)
			}
		})
	}
}

func board(t testing.TB) (*simbus.Calendar, *simbus.Domain) {
	cal := simbus.NewVirtual()
	t.Cleanup(cal.Close)
	domain, err := cal.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	return cal, domain
}

func advance(t testing.TB, cal *simbus.Calendar, d time.Duration) {
	if _, err := cal.Advance(context.Background(), cal.Now().Add(d), nil); err != nil {
		t.Fatal(err)
	}
}

// TestBroken: what is no request at all stops the device.
func TestBroken(t *testing.T) {
	for name, c := range map[string]struct {
		out [][]byte
		in  []int
	}{
		"short head": {[][]byte{make([]byte, 31)}, []int{1}},
		"no result":  {[][]byte{make([]byte, 33)}, nil},
		"only room":  {nil, []int{40}},
	} {
		_, d := start(t, 0)
		d.d.Rings[0].Add(c.out, c.in)
		if d.d.Kick(0); d.d.Failure == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// TestLong: a transfer that is longer than any that Linux can make is refused unread.
func TestLong(t *testing.T) {
	dev := spi.NewController("spi0", spi.Config{}, nil, nil)
	d := virtiotest.StartIn(t, virtiotest.NewMemory(t, 16<<20), dev, 16, 0)
	for size, want := range map[int]string{4 << 20: ok, 4<<20 + 1: paramErr} {
		d.Rings[0].Add([][]byte{head{bits: 8, hz: 1}.bytes(), make([]byte, size)}, []int{1})
		d.Kick(0)
		if used := d.Rings[0].Results(); len(used) != 1 || text(used[0].In) != want {
			t.Errorf("%d bytes: %v, want %s", size, used, want)
		}
	}
}

// wireLog keeps what a target gets.
type wireLog struct {
	echo
	log []string
}

func (w *wireLog) Exchange(tx, rx []byte, bits int) {
	w.log = append(w.log, fmt.Sprintf("%x/%d", tx, bits))
	w.echo.Exchange(tx, rx, bits)
}

// TestWords: words of all sizes go over the wire uppermost bit first, or lowest.
func TestWords(t *testing.T) {
	lsb := uint32(spi.LSBFirst)
	for _, c := range []struct {
		bits uint8
		mode uint32
		mem  string
		wire string
	}{
		{8, 0, "\x01\x80", "0180/16"},
		{8, lsb, "\x01\x80", "8001/16"},
		{16, 0, "\x34\x12\x78\x56", "12345678/32"},
		{16, lsb, "\x34\x12", "2c48/16"},
		{32, 0, "\x78\x56\x34\x12", "12345678/32"},
		{24, 0, "\x56\x34\x12\x00\xbc\x9a\x78\x00", "123456789abc/48"},
		{12, 0, "\x23\x01\x56\x04", "123456/24"},
		{12, 0, "\x23\x01", "1230/12"},
		{12, lsb, "\x01\x00\x02\x00", "800400/24"},
		{9, 0, "\xff\x01\x00\x00\x01\x00", "ff800020/27"},
		{1, 0, "\x01\x00\x01\x01\x00\x00\x00\x00\x01", "b080/9"},
		{7, 0, "\x7f\x00\x40", "fe0200/21"},
		{4, lsb, "\x01\x02", "84/8"},
	} {
		dev, d := start(t, 0)
		target := &wireLog{}
		if err := dev.Attach(0, target, everything); err != nil {
			t.Fatal(err)
		}
		got := d.do(head{bits: c.bits, mode: c.mode, hz: 1, change: 1}, []byte(c.mem), len(c.mem))
		if want := fmt.Sprintf("%x", c.mem); got != want || len(target.log) != 1 || target.log[0] != c.wire {
			t.Errorf("%d bits, mode %d: %x goes as %q and comes back as %s, want %s", c.bits, c.mode, c.mem, target.log, got, c.wire)
		}
	}
	_, d := start(t, 0) // bits above a word are not sent
	if got := d.do(head{bits: 12, mode: uint32(spi.Loop), hz: 1}, []byte("\xff\xff"), 2); got != "ff0f" {
		t.Errorf("12 bits of ffff come back as %s", got)
	}
}

// TestUnheard: a chip takes no part in what it does not understand.
func TestUnheard(t *testing.T) {
	var seen []string
	c := spi.NewController("spi0", spi.Config{}, nil, func(tr *spi.Transfer) {
		seen = append(seen, fmt.Sprintf("%s %s %v", tr.Mode, spi.Format(tr.Tx, tr.Rx), tr.Err))
	})
	d := &driver{t, virtiotest.Start(t, c, 16, 0)}
	target := &echo{}
	if err := c.Attach(0, target, spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode3}, MaxHz: 10}); err != nil {
		t.Fatal(err)
	}
	h := func(mode spi.Mode, hz uint32) head { return head{bits: 8, mode: uint32(mode), hz: hz, change: 1} }
	for _, step := range []struct {
		h    head
		want string
	}{
		{h(spi.Mode0, 10), "55"}, {h(spi.Mode3, 10), "55"}, {h(spi.Mode3|spi.LSBFirst, 1), "55"},
		{h(spi.Mode1, 10), "ff"}, {h(spi.Mode2, 10), "ff"}, {h(spi.CSHigh, 10), "ff"}, {h(spi.Mode0, 11), "ff"},
		{h(spi.Mode1|spi.Loop, 99), "55"},
		{head{cs: 1, bits: 8, hz: 1}, "ff"},
	} {
		if got := d.do(step.h, []byte{0x55}, 1); got != step.want {
			t.Errorf("%+v: read %s, want %s", step.h, got, step.want)
		}
	}
	want := []string{"0 X 55 = 55 <nil>", "3 X 55 = 55 <nil>", "3 lsb-first X aa = aa <nil>",
		"1 X 55 = ff wrong mode", "2 X 55 = ff wrong mode", "0 cs-high X 55 = ff wrong mode", "0 X 55 = ff too fast",
		"1 loop X 55 = 55 <nil>", "0 X 55 = ff no chip"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if target.selected != 0 || target.bits != 24 {
		t.Errorf("the chip is selected %d times and has seen %d bits, want 0 and 24", target.selected, target.bits)
	}
}

// TestBusTime: a transfer takes its bits, and what the driver wants to wait, and reaches
// its target when that is over.
func TestBusTime(t *testing.T) {
	cal, domain := board(t)
	var at []simbus.Time
	c := spi.NewController("spi0", spi.Config{Frequency: 1_000_000}, domain, func(*spi.Transfer) { at = append(at, domain.Now()) })
	if err := c.Attach(0, &echo{}, everything); err != nil {
		t.Fatal(err)
	}
	d := virtiotest.Start(t, c, 16, 0)
	h := head{bits: 16, hz: 1_000_000, word: 1000, setup: 2000, hold: 100, inactive: 50}
	last := h
	last.change = 1
	for _, one := range []head{h, last, last} {
		d.Rings[0].Add([][]byte{one.bytes(), make([]byte, 4)}, []int{1})
	}
	d.Kick(0)
	if len(d.Rings[0].Results()) != 0 {
		t.Fatal("it took no time")
	}
	advance(t, cal, time.Second)
	// 32 bits of 1 us, and one delay between two words; set-up at the first and third,
	// hold and inactive at the second and third
	want := []simbus.Time{35_000, 68_150, 103_300}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Error(diff)
	}
	if n := len(d.Rings[0].Results()); n != 3 {
		t.Errorf("%d answers, want 3", n)
	}
}

// TestStop: a transfer that is under way when the driver goes never reaches its target,
// and the chip is released.
func TestStop(t *testing.T) {
	cal, domain := board(t)
	c := spi.NewController("spi0", spi.Config{Frequency: 1000}, domain, nil)
	target := &echo{}
	if err := c.Attach(0, target, everything); err != nil {
		t.Fatal(err)
	}
	d := virtiotest.Start(t, c, 16, 0)
	for range 2 {
		d.Rings[0].Add([][]byte{head{bits: 8, hz: 1000}.bytes(), {1}}, []int{1})
	}
	d.Kick(0)
	advance(t, cal, 9*time.Millisecond) // the first is over, the second under way
	if target.bits != 8 || target.selected != 1 {
		t.Fatalf("the chip has seen %d bits and is selected %d times, want 8 and 1", target.bits, target.selected)
	}
	domain.Do(c.Stop)
	advance(t, cal, time.Second)
	if target.bits != 8 || target.selected != 0 {
		t.Errorf("the chip has seen %d bits and is selected %d times, want 8 and 0", target.bits, target.selected)
	}
}

func TestAttach(t *testing.T) {
	b := spi.NewBus("spi0")
	for _, step := range []struct {
		cs     int
		limits spi.Limits
		ok     bool
	}{{-1, everything, false}, {0, everything, true}, {0, everything, false}, {spi.MaxSelects - 1, everything, true}, {spi.MaxSelects, everything, false}, {1, spi.Limits{}, false}} {
		if err := b.Attach(step.cs, &echo{}, step.limits); (err == nil) != step.ok {
			t.Errorf("attach at %d: %v", step.cs, err)
		}
	}
	target := &echo{}
	if err := b.Attach(1, target, everything); err != nil {
		t.Fatal(err)
	}
	rx := []byte{0xff}
	if err := b.Exchange(1, 0, 1, []byte{1}, rx, 8); err != nil || target.selected != 1 {
		t.Fatalf("%v, selected %d", err, target.selected)
	}
	b.Detach(1)
	b.Detach(99)
	if target.selected != 0 {
		t.Error("a chip that was taken off is still selected")
	}
	if err := b.Exchange(1, 0, 1, []byte{1}, rx, 8); !errors.Is(err, spi.ErrNoChip) {
		t.Errorf("exchange with nobody: %v", err)
	}
}

// reads is a driver that reads a chip's registers again and again: a command of a byte,
// and six bytes that are read.
func reads(t testing.TB) (again func()) {
	c := spi.NewController("spi0", spi.Config{}, nil, func(*spi.Transfer) {})
	if err := c.Attach(0, &echo{}, everything); err != nil {
		t.Fatal(err)
	}
	d := virtiotest.Start(t, c, 16, 0)
	r := d.Rings[0]
	r.Add([][]byte{head{bits: 8, hz: 1}.bytes(), {0xf7}}, []int{1})
	r.Add([][]byte{head{bits: 8, hz: 1, change: 1}.bytes()}, []int{6, 1})
	return d.Reads(t, 2)
}

func TestReadAllocatesNothing(t *testing.T) { virtiotest.AllocatesNothing(t, reads(t)) }

func BenchmarkRead(b *testing.B) { virtiotest.BenchmarkReads(b, reads(b)) }
