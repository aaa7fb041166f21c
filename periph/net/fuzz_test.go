package net_test

import (
	"testing"

	"backplane/periph/net"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// FuzzDriver has the driver of a NIC send frames, with work left to the device or
// without, give commands and receive, by good buffers and others.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x0f\x00\x00\x00\x00\x00\x00\x30abcdefabcdef\x08\x00rest\x01\x04\xff\x0f\x02\x20\x0c\x1c"), true)
	f.Add([]byte("\x03\x21\x05\x02\x00\x00\x01\x21\x05\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\xff\x0f\x02\x60"), false)
	f.Add([]byte("\x01\x0f\x01\x01\x04\x22\x10\x30\x60\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x00\x54\x0d\x00\x01"), true)
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte, offload bool) {
		programs.Run(t, data, func(cal *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			nic := net.New("eth0", []byte{2, 0, 0, 0, 0, 1})
			nic.Offload = offload
			seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
			if err != nil {
				t.Fatal(err)
			}
			nic.Port = seg.AddPort("b.eth0", board, nic.Receive)
			seg.AddPort("other", board, func(*ether.Frame) error { return nil })
			seg.SetSnooping(true)
			return nic, func(p *virtiotest.Program) {
				switch b := p.Byte(); b & 3 {
				case 0, 1: // a frame that it sends
					h := append([]byte{p.Byte() & 1, p.Byte(), p.Byte(), 0, p.Byte(), 0, p.Byte(), 0, p.Byte(), 0}, 0, 0)
					p.Put(1, append(h, p.Bytes(int(p.Byte()))...), 0)
				case 2: // one that it receives
					_ = nic.Receive(&ether.Frame{Parts: [][]byte{p.Bytes(6), p.Bytes(int(p.Byte()))},
						Offload: ether.Offload{Flags: b >> 2 & 1, GSOType: b >> 3 & 5}})
				case 3:
					p.Put(2, append([]byte{b >> 2 & 1, b >> 3 & 3}, p.Bytes(int(p.Byte()&31))...), 1)
				}
			}
		})
	})
}
