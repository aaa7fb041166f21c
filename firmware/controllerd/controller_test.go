package main

import (
	"errors"
	"strings"
	"testing"
)

// ram is a memory for tests.
type ram struct {
	data   [4096]byte
	broken bool
}

func (r *ram) read(address int, data []byte) error {
	if r.broken {
		return errors.New("no acknowledge")
	}
	copy(data, r.data[address:])
	return nil
}

func (r *ram) write(address int, data []byte) error {
	if r.broken {
		return errors.New("no acknowledge")
	}
	copy(r.data[address:], data)
	return nil
}

func newController(t *testing.T) (*controller, *ram) {
	t.Helper()
	m := &ram{}
	c := &controller{on: 30, off: 27, log: history{memory: m}}
	if err := c.log.resume(); err != nil {
		t.Fatal(err)
	}
	return c, m
}

func TestFanHasHysteresis(t *testing.T) {
	c, _ := newController(t)
	for _, step := range []struct {
		temp string
		fan  bool
	}{{"20", false}, {"29.9", false}, {"30", true}, {"28", true}, {"27", false}, {"29", false}, {"31", true}} {
		if err := c.reading("seq=1 temp=" + step.temp); err != nil {
			t.Fatal(err)
		}
		if c.fan != step.fan {
			t.Errorf("at %s °C the fan is %t, want %t", step.temp, c.fan, step.fan)
		}
	}
	c.stale()
	if !c.fan || c.state() != "temp unknown fan on" {
		t.Errorf("without readings: %s", c.state())
	}
}

func TestCommands(t *testing.T) {
	c, _ := newController(t)
	for _, step := range []struct{ command, want string }{
		{"temp", "temp unknown\n"},
		{"", ""},
		{"fan on", "fan on\n"},
		{"fan maybe", "error: the fan can be on, off or auto\n"},
		{"limits", "limits 30 27\n"},
		{"limits 25 26", "error: limits are two numbers, the first higher\n"},
		{"limits 26 25", "limits 26 25\n"},
		{"history 3", "end\n"},
		{"history x", "error: history needs a number of lines\n"},
		{"help", help},
		{"jump", "error: unknown command \"jump\"; " + help},
	} {
		if got := c.command(step.command); got != step.want {
			t.Errorf("%q is answered by %q, want %q", step.command, got, step.want)
		}
	}
	if err := c.reading("temp=26.125"); err != nil {
		t.Fatal(err)
	}
	if got := c.command("fan auto"); got != "fan on\n" {
		t.Errorf("fan auto above the limit: %q", got)
	}
	if got := c.command("temp"); got != "temp 26.12\n" {
		t.Errorf("temp: %q", got)
	}
}

func TestHistoryResumesAndWraps(t *testing.T) {
	c, m := newController(t)
	for i := range 600 {
		if err := c.log.add(float64(i) / 4); err != nil {
			t.Fatal(err)
		}
	}
	again := history{memory: m}
	if err := again.resume(); err != nil {
		t.Fatal(err)
	}
	if got := again.last(2); got != "600 149.75\n599 149.50\nend\n" {
		t.Errorf("after power was lost: %q", got)
	}
	if got := strings.Count(again.last(1000), "\n"); got != records+1 {
		t.Errorf("%d lines of history, want %d and an end", got, records)
	}
	m.data[600%records*recordSize] ^= 1 // the last write was cut off
	if err := again.resume(); err != nil {
		t.Fatal(err)
	}
	if again.next != 600 {
		t.Errorf("behind a broken record it goes on at %d, want 600", again.next)
	}
	m.broken = true
	if err := again.add(1); err == nil {
		t.Error("a write that was not acknowledged is no error")
	}
}

func FuzzCommand(f *testing.F) {
	f.Add("limits 1 nan")
	f.Add("history 99999999999")
	f.Fuzz(func(t *testing.T, text string) {
		c := &controller{on: 30, off: 27, log: history{memory: &ram{}, next: 3}}
		if got := c.command(text); got != "" && !strings.HasSuffix(got, "\n") {
			t.Errorf("%q is answered by %q, not by lines", text, got)
		}
		if !(c.on > c.off) {
			t.Errorf("%q made the limits %g and %g", text, c.on, c.off)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(7, -21.5))
	f.Fuzz(func(t *testing.T, b []byte) {
		if seq, temp, ok := decode(b); ok && (seq == 0 || temp != temp) {
			t.Errorf("decoded to %d, %g", seq, temp)
		}
	})
}
