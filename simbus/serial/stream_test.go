package serial_test

import (
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
