package serial_test

import (
	"testing"

	"backplane/periph/serial"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	line "backplane/simbus/serial"
)

// FuzzDriver has the driver of a UART queue buffers, good ones and
// others, while input comes.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x11\x01\x05hello\x01\x04\x10\x0f\x04abcd\x0c\x1c"), 300)
	f.Add([]byte("\x03\x11\x01\x3fhello\x01\x04\x10\x0f\x04abcd\x9e\xff\x0c\x1c\x11\x02\x01a\x01b"), 115200)
	f.Add([]byte("\x01\x12\x02\x10\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0c\x1c"), 9600)
	f.Add([]byte("\x01\x0f\xff\x01\x08\xff\xff\x11\x00\x0d\x00\x0f\x02xx"), 4_000_000)
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte, baud int) {
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			c := serial.Kind.Config().(*serial.Config)
			c.Baud, c.FIFO, c.Trigger = min(max(baud, 50), 10_000_000), 64, baud&7
			u := serial.NewController("uart1", board, c)
			return u, func(p *virtiotest.Program) {
				switch b := p.Byte(); b & 7 {
				case 0:
					u.Port().OnReceive(line.Received{Data: p.Bytes(int(b >> 3)), End: board.Now(), Flags: line.Flags(p.Byte() & 7)})
				case 1:
					u.Power(false)
					u.Power(true)
				case 2:
					u.Port().SetInputs(line.Inputs, line.Lines(p.Byte()))
				default:
					_ = u.Input(p.Bytes(int(b)))
				}
			}
		})
	})
}
