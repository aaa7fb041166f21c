package can_test

import (
	"math/rand/v2"
	"testing"

	"backplane/periph/can"
	"backplane/periph/can/cantest"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	bus "backplane/simbus/can"
)

// neighbour takes what there is, and answers each frame.
type neighbour struct{ *bus.Node }

func (n *neighbour) Sent() {}
func (n *neighbour) Receive(f *bus.Frame) {
	if f.ID ^= 1; f.Check() == nil {
		_ = n.Send(f) // or it has one already
	}
}
func (n *neighbour) Changed(bus.State) {}

// FuzzDriver has a driver send frames, good ones and others, on a bus that is disturbed.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x0f\x00\x0f\x01\x01\x23\x01\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08\x0e\xff\x0c"))
	f.Add([]byte("\x03\x0f\x00\x0f\x03\x50\x0f\x01\x45\x67\x89\xc0\x40\x01\x02\x03\x0e\xff\x1c\x0f\x02\x0f\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x01\x0f\x00\x0f\x04\x0f\x01\x01\x01\x01\x01\x02\x0e\xff\x0f\x05\x0e\xff\x0f\x00\x0f\x05\x0e\xff\x0d\x00"))
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			c := can.NewController("can0", timing, board)
			n := &neighbour{}
			n.Node = bus.NewNode("n", board, timing, n)
			wires := bus.NewBus("bus", board, rand.New(rand.NewPCG(1, 2)))
			for _, node := range []*bus.Node{c.Port(), n.Node} {
				if err := wires.Join(node); err != nil {
					t.Fatal(err)
				}
			}
			n.Start()
			return c, func(p *virtiotest.Program) {
				switch p.Byte() % 6 {
				case 0:
					p.Put(2, []byte{1, 2}, 1)
				case 1:
					m := cantest.Message(&bus.Frame{ID: uint32(p.Byte())<<8 | uint32(p.Byte())})
					m[2], m[9], m[15] = p.Byte()&127, p.Byte(), p.Byte()
					p.Put(0, append(m, p.Bytes(int(m[2]))...), 1)
				case 2:
					p.Put(2, []byte{2, 2}, 1)
				case 3:
					p.Put(1, nil, int(p.Byte()))
				case 4:
					wires.SetErrorRate(float64(p.Byte()) / 255)
				case 5:
					wires.SetDominant(!wires.Dominant())
				}
			}
		})
	})
}
