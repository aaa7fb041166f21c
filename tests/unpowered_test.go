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
// the port receives nothing, and nothing of them is there when the board is on again.
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
	if err := app.Send("b.uart1", []byte("outside\n")); err != nil {
		t.Fatal(err)
	}
	lost("what comes from outside", "8")
	if got := app.MustGet("b.uart1.received"); got != "0" {
		t.Errorf("without power, b received %s bytes", got)
	}
	if err := app.PowerOn("b"); err != nil {
		t.Fatal(err)
	}
	app.Until(5*time.Second, "b to be up", func(e *simbus.Event) bool {
		state, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && state == appliance.StateUp
	})
	read := app.StartCommand("b", "/bin/sh", "-c", "head -n 1 /dev/ttyS1")
	app.Sh("a", "sleep 1; echo then > /dev/ttyS1")
	if r := read.Wait(); r.Stdout != "then\n" {
		t.Errorf("what b reads first is %q", r.Stdout)
	}
}
