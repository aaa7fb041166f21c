package spiloopback

import (
	"testing"

	"backplane/periph/chips/chiptest"
)

func TestLoopback(t *testing.T) {
	chiptest.PowerOn(t, Model, nil).RunSPI("X 00 55 ff = 00 55 ff", "W 12 R 00")
}
