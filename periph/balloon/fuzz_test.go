package balloon_test

import (
	"testing"

	"backplane/periph"
	"backplane/periph/balloon"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has a driver queue buffers, good ones and others.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x01\x04\x40\x0c"))
	f.Add([]byte("\x03\x01\x8c\x40\x40\xff\x0c\x01\x01\x01a"))
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		programs.Run(t, data, func(*simbus.Calendar, *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			return balloon.New(&periph.Env{Name: "balloon", ConfigChanged: func() {}}), func(*virtiotest.Program) {}
		})
	})
}
