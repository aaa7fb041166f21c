package pca954x

import (
	"testing"

	"backplane/periph/chips/chiptest"
	"backplane/periph/i2c"
	"backplane/periph/i2c/i2ctest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// switched is a switch on a bus, with a part that answers with its channel's number at
// 0x20 of each channel.
func switched(t *testing.T) (*chiptest.Bench, *i2c.Bus) {
	b := chiptest.PowerOn(t, PCA9548, nil)
	bus := i2c.NewBus("i2c0")
	c := b.Chip.(*chip)
	c.Join(bus)
	if err := bus.Attach(0x70, c); err != nil {
		t.Fatal(err)
	}
	for i, channel := range c.channels {
		if err := channel.Attach(0x20, answering(i)); err != nil {
			t.Fatal(err)
		}
	}
	return b, bus
}

// answering answers every read with one byte.
type answering byte

func (a answering) Transfer(msgs []i2c.Msg) error {
	for _, m := range msgs {
		for i := range m.Data {
			if m.Read {
				m.Data[i] = byte(a)
			}
		}
	}
	return nil
}

// at is the target at an address of the bus.
type at struct {
	bus  *i2c.Bus
	addr uint8
}

func (a at) Transfer(msgs []i2c.Msg) error { return a.bus.Transfer(a.addr, msgs) }

// TestSwitch selects channels as pca954x_probe and pca954x_select_chan of
// drivers/i2c/muxes/i2c-mux-pca954x.c do.
func TestSwitch(t *testing.T) {
	b, bus := switched(t)
	play := func(addr uint8, transactions ...string) {
		t.Helper()
		if err := i2ctest.Run(at{bus, addr}, transactions...); err != nil {
			t.Error(err)
		}
	}
	play(0x20, "R 00 !")
	play(0x70, "W 00", "R 00", "W 08", "R 08")
	play(0x20, "R 03")
	play(0x70, "W 01 02 80", "R 80 80")
	play(0x20, "R 07")
	play(0x70, "W 88")
	play(0x20, "R 03") // the first of two that answer
	b.Drive("reset", wire.Low)
	play(0x70, "R 00 !")
	play(0x20, "R 00 !")
	b.Drive("reset", wire.High)
	play(0x70, "R 00", "W 02")
	play(0x20, "R 01")
	b.Power(false)
	play(0x70, "R 00 !")
	play(0x20, "R 00 !")
	b.Power(true)
	play(0x70, "R 00")
	if diff := cmp.Diff([]string{"channels=8", "channels=128", "channels=136", "channels=0", "channels=2", "channels=0"}, b.Changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
