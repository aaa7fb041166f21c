package serial_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"backplane/periph/console"
	"backplane/periph/serial"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// domain is the clock of a UART in a test.
func domain(t testing.TB) (*simbus.Calendar, *simbus.Domain) {
	t.Helper()
	c := simbus.NewVirtual()
	t.Cleanup(c.Close)
	d, err := c.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

func advance(t testing.TB, c *simbus.Calendar, until simbus.Time) {
	t.Helper()
	if _, err := c.Advance(context.Background(), until, nil); err != nil {
		t.Fatal(err)
	}
}

// count is one of a UART's counters.
func count(u *serial.UART, name string) int { return u.Get(name).Int() }

// TestUARTTimes sends bytes through a UART and looks when each piece has gone over.
func TestUARTTimes(t *testing.T) {
	for _, tt := range []struct {
		baud, writes, size int
		piece              int // bytes of the longest
	}{
		{baud: 9600, writes: 3, size: 33, piece: 16},
		{baud: 115200, writes: 40, size: 100, piece: 16},
		{baud: 4_000_000, writes: 8, size: 4096, piece: 400},
		{baud: 3_000_000, writes: 8, size: 4096, piece: 300}, // a character of 3333.3 ns
	} {
		t.Run(fmt.Sprint(tt.baud), func(t *testing.T) {
			c, d := domain(t)
			u := serial.NewUART("uart1", d, tt.baud)
			driver := virtiotest.Start(t, u, 64, 0)
			var want, got []byte
			u.OnSend = func(p []byte, at simbus.Time) {
				if len(p) > tt.piece {
					t.Errorf("a piece of %d bytes, want at most %d", len(p), tt.piece)
				}
				got = append(got, p...)
				if exact := simbus.Time(int64(len(got)) * 10 * 1e9 / int64(tt.baud)); at != exact {
					t.Errorf("byte %d arrives at %s, want %s", len(got), at, exact)
				}
			}
			var gone int
			u.OnSent = func(p []byte) {
				gone += len(p)
				if exact := simbus.Time(int64(gone) * 10 * 1e9 / int64(tt.baud)); d.Now() != exact {
					t.Errorf("byte %d has gone at %s, want %s", gone, d.Now(), exact)
				}
			}
			d.Do(func() {
				for i := range tt.writes {
					p := bytes.Repeat([]byte{byte(i)}, tt.size)
					want = append(want, p...)
					driver.Rings[1].Add([][]byte{p}, nil)
				}
				driver.Kick(1)
			})
			if taken := len(driver.Rings[1].Results()); tt.writes*tt.size > 2*serial.FIFO && taken == tt.writes {
				t.Errorf("all of %d bytes were taken at once: want what is over %d held back", tt.writes*tt.size, serial.FIFO)
			}
			advance(t, c, simbus.Time(10e9))
			if !bytes.Equal(got, want) || gone != len(want) || count(u, "sent") != len(want) {
				t.Errorf("%d bytes were sent and %d have gone, want %d, the same", len(got), gone, len(want))
			}
		})
	}
}

// TestUARTOverrun lets bytes arrive that nobody reads.
func TestUARTOverrun(t *testing.T) {
	c, d := domain(t)
	u := serial.NewUART("uart1", d, 4_000_000)
	u.Limit = 1000
	var lost []int
	u.OnOverrun = func(n int) { lost = append(lost, n) }
	d.Do(func() {
		if err := u.In(make([]byte, 990)); err != nil {
			t.Error(err)
		}
		if err := u.In(make([]byte, 30)); !errors.Is(err, console.ErrOverrun) {
			t.Errorf("an overrun gives the error %v", err)
		}
		if err := u.Input(make([]byte, 7)); err != nil {
			t.Error(err)
		}
	})
	advance(t, c, simbus.Time(1e6))
	if fmt.Sprint(lost) != "[20 7]" || count(u, "overrun") != 27 || count(u, "received") != 1027 || u.Waiting() != 1000 {
		t.Errorf("lost %v of 27, dropped %d, received %d, waiting %d", lost, count(u, "overrun"), count(u, "received"), u.Waiting())
	}
}

// BenchmarkUARTStream is what a stream costs between two UARTs, without guests.
func BenchmarkUARTStream(b *testing.B) {
	c, d := domain(b)
	from := serial.NewUART("a", d, 4_000_000)
	arrived := 0
	in := make([]byte, 400)
	from.OnSend = func(p []byte, at simbus.Time) { d.At(at, func() { arrived += len(p) }) }
	sent := 0
	from.OnSent = func(p []byte) {
		if sent += len(p); sent < b.N*len(in) {
			from.OnOutput(in)
		}
	}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	b.ResetTimer()
	d.Do(func() { from.OnOutput(in) })
	advance(b, c, simbus.Time(b.N+2)*1e6)
	if arrived < b.N*len(in) {
		b.Fatalf("%d bytes arrived of %d", arrived, b.N*len(in))
	}
}
