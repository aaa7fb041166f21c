package spi_test

import (
	"testing"

	"backplane/periph/spi"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has a driver make transfers, good ones and others, with and without a clock.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x0f\x00\x08\x00\x00\x04\x02\x01\x02\x0f\x01\x0c\x01\x08\x03\x04\x01\x02\x03\x04\x0c"), 0)
	f.Add([]byte("\x03\x0f\x02\x20\x01\x03\x08\x03\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x80\x0f\x05\x08\x00\x00\x01\x01\xff\x0c"), 400_000)
	f.Add([]byte("\x01\x0f\x0b\x01\x00\x0f\x0a\x01\x00\x0f\x09\x02\xff\x01\x05\x09\x50\x00\x00\x00\x00\x00\x00\x00\x01\xee\xff\x0d\x00\x0c"), 100_000)
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte, frequency int) {
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			if frequency < 0 || frequency > 0 && frequency < 1000 {
				frequency = 1000
			}
			c := spi.NewController("spi0", spi.Config{Frequency: frequency}, board, func(tr *spi.Transfer) { _ = spi.Format(tr.Tx, tr.Rx) + tr.Mode.String() })
			for _, cs := range []int{0, 3, spi.MaxSelects - 1} {
				if err := c.Attach(cs, &echo{}, everything); err != nil {
					t.Fatal(err)
				}
			}
			return c, func(p *virtiotest.Program) {
				h := head{cs: [...]uint8{0, 1, 3, spi.MaxSelects - 1, spi.MaxSelects, 0xff}[p.Byte()%6], bits: p.Byte(), change: p.Byte() & 3,
					mode: uint32(p.Byte() & 0x3f), hz: 1000 * uint32(p.Byte()), word: uint32(p.Byte())}
				way, n := p.Byte()&3, int(p.Byte())
				out, in := h.bytes(), 1
				if way&1 != 0 {
					out = append(out, p.Bytes(n)...)
				}
				if way&2 != 0 {
					in += n
				}
				p.Put(0, out, in)
			}
		})
	})
}
