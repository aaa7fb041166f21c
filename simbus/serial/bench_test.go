package serial_test

import (
	"slices"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
)

func format(t testing.TB, baud int, frame string) serial.Format {
	t.Helper()
	f := serial.EightN1(serial.Baud(baud))
	f.Data = int(frame[0] - '0')
	f.Parity = serial.Parity(slices.Index([]byte("NEOMS"), frame[1]))
	f.Stop = map[string]serial.Stop{"1": serial.Stop1, "1.5": serial.Stop1Half, "2": serial.Stop2}[frame[2:]]
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestDisagree is what a bench shows where the ends are not set to the same.
func TestDisagree(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to serial.Format
		data     string
		want     []string // without times
	}{
		{"the same", format(t, 9600, "8N1"), format(t, 9600, "8N1"), "hello", []string{`"hello" `}},
		// U is 5 pulses, 8.7 us each. The middle of the start bit, 52 us from its edge, is
		// the sixth bit's beginning, which is low; all that follows is high.
		{"115200 to 9600", format(t, 115_200, "8N1"), format(t, 9600, "8N1"), "U", []string{`"\xff" `}},
		// The start bit and four zeros are 43 us long, and the line is high at 52.
		{"115200 to 9600, no start bit", format(t, 115_200, "8N1"), format(t, 9600, "8N1"), "\xf0", nil},
		// Twelve bits of the receiver make one of the sender: low for five of those is a break.
		{"9600 to 115200", format(t, 9600, "8N1"), format(t, 115_200, "8N1"), "\xf0", []string{`"\x00" framing break`}},
		// Each low bit of U is longer than a character.
		{"9600 to 115200, pulses", format(t, 9600, "8N1"), format(t, 115_200, "8N1"), "U",
			[]string{`"\x00" framing break`, `"\x00" framing break`, `"\x00" framing break`, `"\x00" framing break`, `"\x00" framing break`}},
		// A has two ones: the receiver's parity bit is the eighth bit, 0, and its stop bit the
		// parity bit, 0. C has three: 0 is the wrong parity, and the parity bit 1 a good stop bit.
		{"8E1 to 7E1, even", format(t, 9600, "8E1"), format(t, 9600, "7E1"), "A", []string{`"A" framing`}},
		{"8E1 to 7E1, odd", format(t, 9600, "8E1"), format(t, 9600, "7E1"), "C", []string{`"C" parity`}},
		{"7E1 to 8N1", format(t, 9600, "7E1"), format(t, 9600, "8N1"), "AC", []string{`"A" `, `"\xc3" `}},
		// The stop bit is taken for the parity bit, which is right for an odd number of ones.
		{"8N1 to 8E1, odd", format(t, 9600, "8N1"), format(t, 9600, "8E1"), "C", []string{`"C" `}},
		{"8N1 to 8E1, even", format(t, 9600, "8N1"), format(t, 9600, "8E1"), "A", []string{`"A" parity`}},
		// Of two without a gap, the second start bit is taken for the first stop bit.
		{"8N1 to 8E1, two", format(t, 9600, "8N1"), format(t, 9600, "8E1"), "C\xff", []string{`"C" framing`}},
		{"8N2 to 8E1", format(t, 9600, "8N2"), format(t, 9600, "8E1"), "CC", []string{`"C" `, `"C" `}},
		{"8N1 to 8N2", format(t, 9600, "8N1"), format(t, 9600, "8N2"), "CC", []string{`"C" `, `"C" `}},
		{"5N1.5", format(t, 9600, "5N1.5"), format(t, 9600, "5N1.5"), "\x15\x0a", []string{`"\x15\n" `}},
		{"mark to space", format(t, 9600, "7M1"), format(t, 9600, "7S1"), "A", []string{`"A" parity`}},
		{"1.5 % fast", format(t, 9600, "8N1"), format(t, 9744, "8N1"), "\x00\xffU", []string{`"\x00\xffU" `}},
		{"3 % fast", format(t, 9600, "8N1"), format(t, 9888, "8N1"), "\x00\xffU", []string{`"\x00" `, `"\xff" `, `"U" `}},
		{"3 % slow", format(t, 9600, "8N1"), format(t, 9312, "8N1"), "\x00\xffU", []string{`"\x00" `, `"\xff" `, `"U" `}},
		// The middle of the stop bit is 8.96 of the sender's bits from the edge: its last data bit.
		{"6 % fast", format(t, 9600, "8N1"), format(t, 10_176, "8N1"), "\x01", []string{`"\x01" framing`}},
		// It is 10.1 bits from there, in the next start bit, and that of the last data bit 9.04.
		{"6 % slow", format(t, 9600, "8N1"), format(t, 9024, "8N1"), "\x01\xff", []string{`"\x81" framing`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, serial.Cable{})
			b.plain = true
			b.ports[0].SetFormat(tt.from)
			b.ports[1].SetFormat(tt.to)
			b.do(0, 0, func() { b.ports[0].Transmit([]byte(tt.data)) })
			b.run(time.Second)
			if !slices.Equal(b.got[1], tt.want) {
				t.Errorf("got %q, want %q", b.got[1], tt.want)
			}
		})
	}
}

// TestBreak sends breaks of several lengths, alone and between characters. A bit of 10 kbaud
// is 100 us; the other end hears of a break 900 us later.
func TestBreak(t *testing.T) {
	const bit = simbus.Time(100_000)
	for _, tt := range []struct {
		name        string
		domains     int
		length      simbus.Time
		around      bool // a character is under way when it begins, and one waits when it ends
		want        []string
		transmitted simbus.Time // when the last stop bit has gone
	}{
		{"no time, which is a bit", 2, 0, false, []string{`0.002900000s "\xff" `}, 0},
		{"half a character", 2, 5 * bit, false, []string{`0.002900000s "\xf0" `}, 0},
		{"nine bits and three quarters", 2, 975 * bit / 100, false, []string{`0.002900000s "\x00" framing break`}, 0},
		{"one and a half", 2, 15 * bit, false, []string{`0.002900000s "\x00" framing break`}, 0},
		{"ten", 2, 100 * bit, false, []string{`0.002900000s "\x00" framing break`}, 0},
		{"between characters", 2, 15 * bit, true, []string{`0.001500000s "A" `, `0.003400000s "\x00" framing break`, `0.004500000s "B" `}, 45 * bit},
		{"between characters of one board", 1, 15 * bit, true, []string{`0.001500000s "A" `, `0.002500000s "\x00" framing break`, `0.003600000s "B" `}, 36 * bit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBoards(t, tt.domains)
			b.join(serial.Cable{})
			var sent simbus.Time
			b.ports[0].OnSent = func([]byte) { sent = b.doms[0].Now() }
			for _, p := range b.ports {
				p.SetFormat(format(t, 10_000, "8N1"))
			}
			if tt.around {
				b.do(0, 5*bit, func() { b.ports[0].Transmit([]byte("A")) })
			}
			b.do(0, 10*bit, func() { b.ports[0].SetBreak(true) })
			b.do(0, 10*bit+tt.length, func() {
				b.ports[0].SetBreak(false)
				if tt.around {
					b.ports[0].Transmit([]byte("B"))
				}
			})
			b.run(time.Second)
			if !slices.Equal(b.got[1], tt.want) {
				t.Errorf("got %q, want %q", b.got[1], tt.want)
			}
			if sent != tt.transmitted {
				t.Errorf("the last character has gone at %s, want %s", sent, tt.transmitted)
			}
		})
	}
}
