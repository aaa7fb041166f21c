package i2c_test

import (
	"testing"

	"backplane/periph/i2c"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has a driver make requests, good ones and others, alone and in groups.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x0f\x0a\x00\x02\x01\x07\x0f\x0a\x01\x04\x0e\x80\x0c"), 0)
	f.Add([]byte("\x03\x0f\x0a\x01\x02\x01\x07\x0f\x0a\x02\x04\x5e\xff\x0c"), 400_000)
	f.Add([]byte("\x01\x0f\x0b\x01\x00\x0f\x0a\x01\x00\x0f\x09\x02\xff\x01\x05\x09\x50\x00\x00\x00\x00\x00\x00\x00\x01\xee\xff\x0d\x00\x0c"), 100_000)
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte, frequency int) {
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			c := i2c.NewController("i2c1")
			c.Clock, c.Frequency = board, frequency
			if frequency > 0 && frequency < 1000 {
				c.Frequency = 1000 // no bus is slower
			}
			for _, addr := range []uint8{i2c.MinAddress, 0x50, i2c.MaxAddress} {
				if err := c.Attach(addr, &memory{}); err != nil {
					t.Fatal(err)
				}
			}
			c.OnTransfer = func(addr uint8, msgs []i2c.Msg, err error) { _ = i2c.Format(msgs) }
			return c, func(p *virtiotest.Program) {
				addr := [...]uint8{0, i2c.MinAddress, 0x50, i2c.MaxAddress, 0x78, 0x7f}[p.Byte()%6]
				flags, n := uint32(p.Byte()&3), int(p.Byte())
				h := header(addr, flags)
				if flags&read != 0 {
					p.Put(0, h, n+1)
					return
				}
				p.Put(0, append(h, p.Bytes(n)...), 1)
			}
		})
	})
}
