package tests

import (
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestSerialWithoutPower sends bytes to a board that is off, over a link and from outside:
// they are lost, and nothing of them is there when the board is on again.
func TestSerialWithoutPower(t *testing.T) {
	app := guesttest.Run(t, serialPair(guesttest.Rootfs(t), 115200), guesttest.Options{Seed: 1})
	lost := func(what, total string) {
		t.Helper()
		app.Until(time.Second, what+" to be lost", func(e *simbus.Event) bool {
			got, _ := e.Get("total")
			return e.Kind == serial.KindOverrun && e.Board == "b" && got == total
		})
	}
	if err := app.PowerOff("b"); err != nil {
		t.Fatal(err)
	}
	app.Until(5*time.Second, "b to be off", func(e *simbus.Event) bool {
		state, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && state == appliance.StateOff
	})
	app.Sleep(time.Second)
	app.Sh("a", "echo link > /dev/ttyS1")
	lost("what the link carries", "6") // a CR as well
	if err := app.Send("b.uart1", []byte("outside\n")); err != nil {
		t.Fatal(err)
	}
	lost("what comes from outside", "14")
	if err := app.PowerOn("b"); err != nil {
		t.Fatal(err)
	}
	app.Until(5*time.Second, "b to be up", func(e *simbus.Event) bool {
		state, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && state == appliance.StateUp
	})
	app.Sh("a", "sleep 1; echo then > /dev/ttyS1")
	if got := app.Sh("b", "head -n 1 /dev/ttyS1"); got != "then\n" {
		t.Errorf("what b reads first is %q", got)
	}
}
