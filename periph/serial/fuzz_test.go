package serial_test

import (
	"testing"

	"backplane/periph/serial"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has the driver of a UART queue buffers, good ones and
// others, while input comes.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x11\x01\x05hello\x01\x04\x10\x0f\x04abcd\x0c\x1c"), 300)
	f.Add([]byte("\x03\x11\x01\x3fhello\x01\x04\x10\x0f\x04abcd\x9e\xff\x0c\x1c\x11\x02\x01a\x01b"), 115200)
	f.Add([]byte("\x01\x0f\xff\x01\x08\xff\xff\x11\x00\x0d\x00\x0f\x02xx"), 4_000_000)
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte, baud int) {
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			u := serial.NewUART("uart1", board, min(max(baud, 50), 10_000_000))
			u.Limit = 1000
			return u, func(p *virtiotest.Program) {
				switch b := p.Byte(); b & 7 {
				case 0:
					_ = u.In(p.Bytes(int(b >> 3)))
				case 1:
					u.Discard()
				default:
					_ = u.Input(p.Bytes(int(b)))
				}
			}
		})
	})
}
