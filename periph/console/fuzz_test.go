package console_test

import (
	"testing"

	"backplane/periph/console"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has the driver of a console queue buffers, good ones and others, while
// input comes.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x11\x01\x05hello\x01\x04\x10\x0f\x04abcd\x0c\x1c"))
	f.Add([]byte("\x03\x11\x01\x3fhello\x01\x04\x10\x0f\x04abcd\x9e\xff\x0c\x1c\x11\x02\x01a\x01b"))
	f.Add([]byte("\x01\x0f\xff\x01\x08\xff\xff\x11\x00\x0d\x00\x0f\x02xx"))
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		programs.Run(t, data, func(*simbus.Calendar, *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			c := console.New("console")
			c.Limit, c.Cols, c.Rows = 1000, 80, 25
			c.OnOutput = func([]byte) {}
			return c, func(p *virtiotest.Program) { _, _ = c.Write(p.Bytes(int(p.Byte()))) }
		})
	})
}
