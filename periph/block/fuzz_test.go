package block_test

import (
	"math/rand/v2"
	"testing"

	"backplane/periph"
	"backplane/periph/block"
	"backplane/periph/block/blocktest"
	"backplane/periph/block/image"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has a driver make requests, good ones and others, of a disk that has faults
// and loses its power.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x0f\x00\x01\x08\x0f\x01\x01\x04abcdefgh\x0f\x02\x0e\xff\x0c"))
	f.Add([]byte("\x03\x0f\x03\x01\x02\x03\x0f\x04\x01\x0f\x05\x0f\x00\x00\x08\x0e\xff\x0d\x00"))
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			d := block.New("disk0", block.Options{Cache: 64 * kib, Torn: true, Timing: quick, Clock: board, Rand: rand.New(rand.NewPCG(1, 2))})
			contents, err := image.Temporary(nil, size)
			if err != nil {
				t.Fatal(err)
			}
			d.Insert(contents, false)
			t.Cleanup(func() { d.Close() })
			return d, func(p *virtiotest.Program) {
				switch p.Byte() % 8 {
				case 0:
					p.Put(0, blocktest.Read(uint64(p.Byte())), int(p.Byte()%16)*512+1)
				case 1:
					sector := uint64(p.Byte())
					p.Put(0, blocktest.Write(sector, append(p.Bytes(int(p.Byte())), make([]byte, 512)...)[:512]), 1)
				case 2:
					p.Put(0, blocktest.Flush(), 1)
				case 3:
					p.Put(0, blocktest.Erase(blocktest.Discard, uint64(p.Byte()), uint32(p.Byte()), uint32(p.Byte()&1)), 1)
				case 4:
					p.Put(0, blocktest.Erase(blocktest.Zeroes, uint64(p.Byte())<<8, uint32(p.Byte()), uint32(p.Byte()&3)), 1)
				case 5:
					_ = d.SetConfig(32, []byte{p.Byte() & 1})
				case 6:
					_ = d.Set("full", periph.On(p.Byte()&1 != 0))
					_ = d.Set("bad_sectors", periph.Str("3-5"))
				case 7:
					d.Power(false)
				}
			}
		})
	})
}
