package serial_test

import (
	"slices"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// newBus makes a bus of two ports whose drivers are disabled. A bit takes 100 us.
func newBus(t *testing.T) (*bench, simbus.Time) {
	b := newBoards(t, 1)
	bus := serial.NewBus()
	for _, p := range b.ports {
		p.SetDriver(false)
		b.doms[0].Do(func() { bus.Join(p) })
	}
	return b, kilo(b)
}

// TestBus does on an RS-485 bus what nodes do, and what they should not.
func TestBus(t *testing.T) {
	driver := func(p *serial.Port, on bool) func() { return func() { p.SetDriver(on) } }
	send := func(p *serial.Port, data string) func() { return func() { p.Transmit([]byte(data)) } }
	type step struct {
		bit simbus.Time
		do  func()
	}
	for _, tt := range []struct {
		name  string
		steps func(a, b *serial.Port) []step
		want  [2][]string
	}{
		{"a request and its answer", func(a, b *serial.Port) []step {
			return []step{{0, driver(a, true)}, {0, send(a, "AB")}, {20, driver(a, false)}, {25, driver(b, true)}, {25, send(b, "C")}, {35, driver(b, false)}}
		}, [2][]string{{`0.002000000s "AB" `, `0.003500000s "C" `}, {`0.002000000s "AB" `, `0.003500000s "C" `}}},
		{"nobody drives", func(a, b *serial.Port) []step { return []step{{0, send(a, "A")}} }, [2][]string{}},
		{"no echo", func(a, b *serial.Port) []step {
			return []step{{0, func() { a.SetReceiver(false) }}, {0, driver(a, true)}, {0, send(a, "A")}, {10, func() { a.SetReceiver(true) }}, {11, driver(a, false)}}
		}, [2][]string{nil, {`0.001000000s "A" `}}},
		// C is 0x43: of its data bits, 1100 0010 from the lowest on, the last three are high now.
		{"a driver that is disabled too early", func(a, b *serial.Port) []step {
			return []step{{0, driver(a, true)}, {0, send(a, "AC")}, {16, driver(a, false)}}
		}, [2][]string{{`0.001000000s "A" `, `0.002000000s "\xe3" `}, {`0.001000000s "A" `, `0.002000000s "\xe3" `}}},
		// The edge at bit 15 is taken for a start bit. Of what follows, 000 1 and B's 0 0100 0010 1,
		// nine bits are read; and then the last zero of B is a start bit.
		{"a driver that is enabled too late", func(a, b *serial.Port) []step {
			return []step{{0, send(a, "\x00\x00B")}, {15, driver(a, true)}}
		}, [2][]string{{`0.002500000s "H" framing`, `0.003800000s "\xff" `}, {`0.002500000s "H" framing`, `0.003800000s "\xff" `}}},
		{"a driver that stays enabled", func(a, b *serial.Port) []step {
			return []step{{0, driver(a, true)}, {0, send(a, "A")}, {20, driver(b, true)}, {20, send(b, "C")}}
		}, [2][]string{{`0.001000000s "A" `}, {`0.001000000s "A" `}}},
		// U is 0 1010 1010 1, and 0x0f 0 1111 0000 1: high wins.
		{"both at once", func(a, b *serial.Port) []step {
			return []step{{0, driver(a, true)}, {0, driver(b, true)}, {0, send(a, "U")}, {0, send(b, "\x0f")}}
		}, [2][]string{{`0.001000000s "_" `}, {`0.001000000s "_" `}}},
		{"a break", func(a, b *serial.Port) []step {
			return []step{{0, driver(a, true)}, {0, func() { a.SetBreak(true) }}, {15, func() { a.SetBreak(false) }}, {15, send(a, "A")}}
		}, [2][]string{{`0.001000000s "\x00" framing break`, `0.002600000s "A" `}, {`0.001000000s "\x00" framing break`, `0.002600000s "A" `}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, bit := newBus(t)
			for _, s := range tt.steps(b.ports[0], b.ports[1]) {
				b.do(0, s.bit*bit, s.do)
			}
			b.run(time.Second)
			for i, want := range tt.want {
				if !slices.Equal(b.got[i], want) {
					t.Errorf("port %d got %q, want %q", i, b.got[i], want)
				}
			}
		})
	}
}

// TestBusJoin puts ports on a bus and takes them off while another one sends.
func TestBusJoin(t *testing.T) {
	b, bit := newBus(t)
	bus := serial.NewBus()
	a, c := b.ports[0], b.ports[1]
	b.do(0, 0, func() { a.SetDriver(true); bus.Join(a); a.Transmit([]byte{0xff, 0xff, 0xff, 0xff}) })
	b.do(0, 15*bit, func() { bus.Join(c) })
	b.do(0, 35*bit, func() { bus.Leave(a) })
	b.run(time.Second)
	b.want(1, `0.003000000s "\xff" `, `0.004000000s "\xff" `)
}
