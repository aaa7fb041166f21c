package chips

import "testing"

func TestSPILoopback(t *testing.T) {
	powerOn(t, spiLoopback, nil).runSPI("X 00 55 ff = 00 55 ff", "W 12 R 00")
}
