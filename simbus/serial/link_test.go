package serial_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// kilo is a format whose bits take 100 us, so that a character takes a millisecond.
func kilo(b *bench) simbus.Time {
	for _, p := range b.ports {
		p.SetFormat(format(b.t, 10_000, "8N1"))
	}
	return 100_000
}

func (b *bench) want(i int, want ...string) {
	b.t.Helper()
	if !slices.Equal(b.got[i], want) {
		b.t.Errorf("port %d got %q, want %q", i, b.got[i], want)
	}
}

// TestHold keeps a transmitter from going on, in the middle of its characters.
func TestHold(t *testing.T) {
	b := newBench(t, serial.Cable{})
	bit := kilo(b)
	p := b.ports[0]
	var sent []string
	p.OnSent = func(data []byte) { sent = append(sent, fmt.Sprintf("%s %q", b.doms[0].Now(), data)) }
	b.do(0, 0, func() { p.Transmit([]byte("abcdef")) })
	b.do(0, 15*bit, func() {
		if n := p.Waiting(); n != 4 {
			t.Errorf("%d wait, want 4", n)
		}
		p.Hold(true)
		if n := p.Waiting(); n != 4 || !p.Busy() {
			t.Errorf("%d wait, busy %v, want 4 and the second on its way", n, p.Busy())
		}
	})
	b.do(0, 25*bit, func() {
		if p.Busy() {
			t.Error("busy on hold")
		}
	})
	b.do(0, 45*bit, func() { p.Hold(false) })
	b.do(0, 46*bit, func() { p.Transmit([]byte("gh")) })
	b.do(0, 56*bit, func() { p.Flush() })
	b.run(time.Second)
	if want := []string{`0.002000000s "ab"`, `0.006500000s "cd"`}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	b.want(1, `0.002000000s "ab" `, `0.006500000s "cd" `)
}

// TestFormatChange gives both ends another format between two characters.
func TestFormatChange(t *testing.T) {
	b := newBench(t, serial.Cable{})
	bit := kilo(b)
	b.do(0, 0, func() { b.ports[0].Transmit([]byte("abc")) })
	b.do(0, 15*bit, func() { b.ports[0].SetFormat(format(t, 20_000, "8E1")) })
	b.do(1, 20*bit, func() { b.ports[1].SetFormat(format(t, 20_000, "8E1")) })
	b.run(time.Second)
	b.want(1, `0.002000000s "ab" `, `0.002550000s "c" `)
}

// TestModemLines shows outputs to the other end, and inputs that a scenario has set.
func TestModemLines(t *testing.T) {
	for _, tt := range []struct {
		cable serial.Cable
		want  []string
	}{
		{serial.Cable{}, []string{"0.000000000s ri", "0.001900000s cts ri", "0.002900000s cts dsr dcd ri", "0.003900000s ri"}},
		{serial.Cable{Delay: 250 * time.Microsecond}, []string{"0.000000000s ri", "0.001250000s cts ri", "0.002250000s cts dsr dcd ri", "0.003250000s ri"}},
		{serial.Cable{Wiring: serial.Straight}, []string{"0.000000000s dcd ri", "0.001900000s cts dcd ri", "0.002900000s cts dsr dcd ri", "0.003900000s dcd ri"}},
		{serial.Cable{Wiring: serial.ThreeWire}, []string{"0.000000000s dsr dcd ri"}},
	} {
		t.Run(fmt.Sprint(tt.cable), func(t *testing.T) {
			b := newBench(t, tt.cable)
			kilo(b)
			b.run(0)
			var got []string
			b.ports[1].OnInputs = func(now, _ serial.Lines) { got = append(got, fmt.Sprint(b.doms[1].Now(), " ", now)) }
			b.do(1, 0, func() { b.ports[1].SetInputs(serial.Inputs&^serial.CTS, serial.Inputs) })
			b.do(0, 1e6, func() { b.ports[0].SetOutputs(serial.RTS) })
			b.do(0, 2e6, func() { b.ports[0].SetOutputs(serial.RTS | serial.DTR) })
			b.do(0, 3e6, func() { b.ports[0].Power(false) })
			b.run(time.Second)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDelay lets everything arrive later, and characters with their bits.
func TestDelay(t *testing.T) {
	b := newBench(t, serial.Cable{Delay: 7 * time.Millisecond})
	bit := kilo(b)
	b.do(0, 0, func() { b.ports[0].Transmit([]byte("abc")) })
	b.do(0, 15*bit, func() { b.ports[0].Power(false) })
	b.do(0, 40*bit, func() { b.ports[0].Power(true); b.ports[0].SetBreak(true) })
	b.do(0, 55*bit, func() { b.ports[0].SetBreak(false) })
	b.run(time.Second)
	// Of b, 0x62, the bits after the first four data bits are high: its power has gone.
	b.want(1, `0.008000000s "a" `, "0.009000000s \"\\xf2\" ", `0.012000000s "\x00" framing break`)
}

// TestFaults cuts a link, holds it low, and makes a port's clock wrong.
func TestFaults(t *testing.T) {
	b := newBench(t, serial.Cable{})
	bit := kilo(b)
	b.ports[0].SetOutputs(serial.RTS)
	b.run(time.Duration(20 * bit))
	send := func(at simbus.Time, data string) {
		b.do(0, at, func() { b.ports[0].Transmit([]byte(data)) })
	}
	send(20*bit, "abc")
	b.run(time.Duration(35 * bit))
	b.link.Cut(true) // in the middle of b: its last four data bits are high now
	b.doms[1].Do(func() {
		if l := b.ports[1].Inputs(); l != 0 {
			t.Errorf("%s on a link that is cut", l)
		}
	})
	b.run(time.Duration(60 * bit))
	b.link.Cut(false)
	b.doms[1].Do(func() {
		if l := b.ports[1].Inputs(); l != serial.CTS {
			t.Errorf("%s on a link that is whole again, want cts", l)
		}
	})
	send(60*bit, "d")
	b.run(time.Duration(80 * bit))
	b.doms[1].Do(func() { b.ports[1].SetStuck(true) })
	send(85*bit, "e")
	b.run(time.Duration(120 * bit))
	b.doms[1].Do(func() { b.ports[1].SetStuck(false) })
	send(120*bit, "f")
	b.run(time.Duration(140 * bit))
	b.doms[0].Do(func() { b.ports[0].SetClockError(100_000) }) // a tenth too fast
	// Of 0 1010 1010 1, the receiver looks into bits 1, 2, 3, 4, 6, 7, 8 and 9.
	send(140*bit, "U")
	b.run(time.Second)
	b.want(1, `0.003000000s "a" `, `0.004000000s "\xf2" `, `0.007000000s "d" `, `0.009000000s "\x00" framing break`, `0.013000000s "f" `, `0.015000000s "\xa5" `)
}

// TestNoise counts what noise damages: a part of the bits, the same ones each time.
func TestNoise(t *testing.T) {
	const n, rate = 100_000, 1e-3
	var first []byte
	for range 2 {
		b := newBench(t, serial.Cable{})
		for _, p := range b.ports {
			p.SetFormat(format(t, 1_000_000, "8N1"))
		}
		b.plain = true
		b.ports[1].SetNoise(rate, rand.New(rand.NewPCG(1, 2)))
		b.do(0, 0, func() { b.ports[0].Transmit(bytes.Repeat([]byte{0xff}, n)) })
		b.run(2 * time.Second)
		wrong := 0
		for _, v := range b.data[1] {
			if v != 0xff {
				wrong++
			}
		}
		// All but the start bit, which makes the character disappear, and the stop bit show.
		if want := n * 8 * rate; float64(wrong) < want*0.85 || float64(wrong) > want*1.15 {
			t.Errorf("%d characters are wrong, want about %.0f", wrong, want)
		}
		if first == nil {
			first = b.data[1]
		}
		if !bytes.Equal(first, b.data[1]) {
			t.Error("the same chance damages others")
		}
	}
}
