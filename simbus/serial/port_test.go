package serial_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// bench is a calendar with two boards, each with a port.
type bench struct {
	t     testing.TB
	cal   *simbus.Calendar
	doms  [2]*simbus.Domain
	ports [2]*serial.Port
	got   [2][]string // what the ports received
	data  [2][]byte
	link  *serial.Link
	plain bool // got is without times
}

// newBench joins two ports of two domains.
func newBench(t testing.TB, c serial.Cable) *bench {
	b := newBoards(t, 2)
	b.join(c)
	return b
}

func (b *bench) join(c serial.Cable) {
	b.link = serial.Join(serial.End{Port: b.ports[0], Domain: b.doms[0]}, serial.End{Port: b.ports[1], Domain: b.doms[1]}, c)
}

// newBoards makes two ports, of one domain or two.
func newBoards(t testing.TB, domains int) *bench {
	b := &bench{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(b.cal.Close)
	for i := range b.ports {
		if i < domains {
			d, err := b.cal.AddDomain(fmt.Sprint("board", i))
			if err != nil {
				t.Fatal(err)
			}
			b.doms[i] = d
		} else {
			b.doms[i] = b.doms[0]
		}
		b.ports[i] = serial.NewPort(b.doms[i])
		b.ports[i].OnReceive = func(x serial.Received) {
			b.data[i] = append(b.data[i], x.Data...)
			what := fmt.Sprintf("%q %s", x.Data, x.Flags)
			if !b.plain {
				what = fmt.Sprint(x.End, " ", what)
			}
			b.got[i] = append(b.got[i], what)
		}
	}
	return b
}

// do calls f in a board's domain, at a time.
func (b *bench) do(i int, at simbus.Time, f func()) {
	b.doms[i].Do(func() { b.doms[i].At(at, f) })
}

func (b *bench) run(until time.Duration) {
	b.t.Helper()
	if _, err := b.cal.Advance(context.Background(), simbus.Time(until), nil); err != nil {
		b.t.Fatal(err)
	}
}

// TestTimes sends streams and looks when each part has gone over, and arrived.
func TestTimes(t *testing.T) {
	for _, baud := range []int{50, 9600, 115_200, 3_000_000, 4_000_000} {
		t.Run(fmt.Sprint(baud), func(t *testing.T) {
			b := newBench(t, serial.Cable{})
			for _, p := range b.ports {
				p.SetFormat(serial.EightN1(serial.Baud(baud)))
			}
			exact := func(n int) simbus.Time { return simbus.Time(int64(n) * 10 * 1e9 / int64(baud)) }
			sent, arrived := 0, 0
			more := func() {
				if sent < 4000 {
					b.ports[0].Transmit(bytes.Repeat([]byte{byte(sent)}, 77))
				}
			}
			b.ports[0].OnSent = func(p []byte) {
				if sent += len(p); b.doms[0].Now() != exact(sent) {
					t.Errorf("byte %d has gone at %s, want %s", sent, b.doms[0].Now(), exact(sent))
				}
				if sent%77 == 0 {
					more()
				}
			}
			b.ports[1].OnReceive = func(x serial.Received) {
				if arrived += len(x.Data); b.doms[1].Now() != exact(arrived) || x.End != exact(arrived) {
					t.Errorf("byte %d arrives at %s, %s, want %s", arrived, b.doms[1].Now(), x.End, exact(arrived))
				}
			}
			b.do(0, 0, more)
			b.run(time.Duration(exact(5000)))
			if sent < 4000 || arrived != sent {
				t.Errorf("%d bytes were sent and %d have arrived", sent, arrived)
			}
		})
	}
}
