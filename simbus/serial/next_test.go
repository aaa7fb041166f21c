package serial_test

import (
	"context"
	"testing"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// TestTransmitNext sends a character before those that wait, also while they may not go.
func TestTransmitNext(t *testing.T) {
	const char = simbus.Time(10 * 1e9 / 10_000)
	c := simbus.NewVirtual()
	defer c.Close()
	d, err := c.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	p := serial.NewPort(d)
	p.SetFormat(serial.EightN1(serial.Baud(10_000)))
	got := ""
	p.OnSent = func(data []byte) { got += string(data) }
	p.OnSentNext = func(char byte) { got += "<" + string(char) + ">" }
	until := func(at simbus.Time) {
		t.Helper()
		if _, err := c.Advance(context.Background(), at, nil); err != nil {
			t.Fatal(err)
		}
	}
	d.Do(func() { p.Transmit([]byte("abcd")) })
	until(char + char/2)
	d.Do(func() { p.Hold(true); p.TransmitNext('S') })
	until(10 * char)
	if got != "ab<S>" || p.Waiting() != 2 {
		t.Errorf("on hold: sent %q, and %d wait", got, p.Waiting())
	}
	d.Do(func() { p.TransmitNext('Q'); p.Hold(false) })
	until(20 * char)
	if got != "ab<S><Q>cd" {
		t.Errorf("sent %q", got)
	}
}
