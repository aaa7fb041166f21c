package gpio_test

import (
	"testing"
	"time"

	"backplane/periph/gpio"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// FuzzDriver has a driver make requests and queue event buffers, good ones and
// others, while the outside drives the lines; in the end all lines float.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x0f\x03\x06\x00\x03\x0f\x00\x00\x0f\x07\x00\x0f\x0b\x04\x0c\x1c"), false)
	f.Add([]byte("\x02\x0f\x03\x02\x01\x01\x0f\x03\x05\x01\x01\x0f\x03\x06\x02\x04\x0f\x01\x02\x0f\x0b\x04\x0e\x40\x0c"), true)
	f.Add([]byte("\x01\x0f\x03\x06\x02\x08\x0f\x01\x02\x0f\x03\x06\x02\x00\x0f\x01\x02\x6e\xff\x0d\x00\x07"), true)
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte, takesTime bool) {
		var c *gpio.Controller
		var outside []*wire.Pin
		programs.Run(t, data, func(_ *simbus.Calendar, board *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			c = gpio.New("gpio0", []string{"led", "", "button", "x"})
			if takesTime {
				c.Clock, c.Access = board, time.Microsecond
			}
			for i := range c.Len() {
				outside = append(outside, c.Line(i).NewPin("outside"))
			}
			return c, func(p *virtiotest.Program) {
				switch b := p.Byte(); b & 3 {
				case 0:
					outside[b>>2&3].Drive(wire.Drive(b >> 4 % 5))
				case 1:
					p.Put(1, []byte{p.Byte() % 5, 0}, 1)
				default:
					p.Put(0, request(uint16(p.Byte()%8), uint16(p.Byte()%5), uint32(p.Byte()%10)), 2+int(b>>2))
				}
			}
		})
		for i := range outside {
			if outside[i].Drive(wire.Float); c.Line(i).Level() == wire.High {
				t.Errorf("the driver has gone, and line %d is high", i)
			}
		}
	})
}
