package serial_test

import (
	"fmt"
	"testing"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// BenchmarkStream is what a stream costs from port to port, without guests: as one domain
// has it, and from domain to domain.
func BenchmarkStream(b *testing.B) {
	for _, tt := range []struct {
		name    string
		domains int
		to      string
	}{{"one domain", 1, "8N1"}, {"two domains", 2, "8N1"}, {"sampled", 2, "8N2"}} {
		b.Run(tt.name, func(b *testing.B) {
			n := newBoards(b, tt.domains)
			n.join(serial.Cable{})
			n.ports[0].SetFormat(format(b, 4_000_000, "8N1"))
			n.ports[1].SetFormat(format(b, 4_000_000, tt.to))
			in := make([]byte, 400)
			sent, arrived := 0, 0
			n.ports[0].OnSent = func(p []byte) {
				if sent += len(p); sent < b.N*len(in) {
					n.ports[0].Transmit(in)
				}
			}
			n.ports[1].OnReceive = func(x serial.Received) { arrived += len(x.Data) }
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			b.ResetTimer()
			n.doms[0].Do(func() { n.ports[0].Transmit(in) })
			if _, err := n.cal.Advance(b.Context(), simbus.Time(b.N+2)*1e6, nil); err != nil {
				b.Fatal(err)
			}
			if arrived < b.N*len(in) {
				b.Fatalf("%d bytes arrived of %d", arrived, b.N*len(in))
			}
		})
	}
}

// BenchmarkDisagree is what 10,000 runs of one character cost, as programs send that write each
// for itself, where the receiver has another rate. At 50 baud it reads a few, of all of them.
func BenchmarkDisagree(b *testing.B) {
	const runs = 10_000
	for _, tt := range []struct{ from, to int }{{4_000_000, 50}, {115_200, 9600}, {9600, 115_200}} {
		b.Run(fmt.Sprintf("%d to %d", tt.from, tt.to), func(b *testing.B) {
			for range b.N {
				n := newBoards(b, 2)
				n.join(serial.Cable{})
				n.ports[0].SetFormat(format(b, tt.from, "8N1"))
				n.ports[1].SetFormat(format(b, tt.to, "8N1"))
				sent, arrived := 0, 0
				next := func([]byte) {
					if sent < runs {
						sent++
						n.ports[0].Transmit([]byte{byte(sent)})
					}
				}
				n.ports[0].OnSent = next
				n.ports[1].OnReceive = func(x serial.Received) { arrived += len(x.Data) }
				n.doms[0].Do(func() { next(nil) })
				if _, err := n.cal.Advance(b.Context(), simbus.Time(20e9), nil); err != nil {
					b.Fatal(err)
				}
				if sent < runs || arrived == 0 {
					b.Fatalf("%d bytes were sent, and %d arrived", sent, arrived)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/runs, "ns/char")
		})
	}
}

// TestRealTime sends at 4 Mbaud both ways in real time. All arrives, in the time that it takes.
func TestRealTime(t *testing.T) {
	const total = 40_000 // bytes, a tenth of a second
	cal := simbus.NewReal()
	defer cal.Close()
	var ends [2]serial.End
	var sent, arrived, bad [2]int
	var last [2]simbus.Time
	done := make(chan int, 2)
	var begin [2]func()
	for i := range ends {
		d, err := cal.AddDomain(fmt.Sprint("board", i))
		if err != nil {
			t.Fatal(err)
		}
		p := serial.NewPort(d)
		ends[i] = serial.End{Port: p, Domain: d}
		p.SetFormat(format(t, 4_000_000, "8N1"))
		begin[i] = func() {
			part := make([]byte, 250)
			for j := range part {
				part[j] = byte((sent[i] + j) * 7)
			}
			p.Transmit(part)
		}
		p.OnSent = func(data []byte) {
			if sent[i] += len(data); sent[i]%250 == 0 && sent[i] < total {
				begin[i]()
			}
		}
		p.OnReceive = func(x serial.Received) {
			for _, v := range x.Data {
				if v != byte(arrived[i]*7) || x.Flags != 0 {
					bad[i]++
				}
				arrived[i]++
			}
			if last[i] = x.End; arrived[i] == total {
				done <- i
			}
		}
	}
	serial.Join(ends[0], ends[1], serial.Cable{})
	for i, e := range ends {
		e.Domain.Do(begin[i])
	}
	for range ends {
		<-done
	}
	for i, at := range last {
		if exact := simbus.Time(total * 2500); at < exact || bad[i] > 0 {
			t.Errorf("port %d has all at %s, which takes %s; %d are wrong", i, at, exact, bad[i])
		}
	}
}
