package tests

import (
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestSerialWakes lets a board sleep until something arrives at a serial port that may wake it
// up, which is there for the program that reads it. One that may not lets it sleep, and loses it.
func TestSerialWakes(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		tty := guesttest.Program(t, "backplane/tests/programs/tty")
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, tty), 9600), o)
		sleep := func(wakeup string) *guesttest.Command {
			c := app.StartCommand("a", "/bin/sh", "-c", "stty -F /dev/ttyS1 9600 raw -echo; exec 3</dev/ttyS1; cd /sys/class/tty/ttyS1/power; echo "+wakeup+
				" >wakeup; echo freeze >/sys/power/state; head -c 5 <&3; cat wakeup_active_count")
			app.Sleep(time.Second)
			return c
		}
		say := func() simbus.Time {
			app.Do("b", "tty", "/dev/ttyS1", "rate=9600", "say=hello", "drain")
			return app.Now()
		}
		asleep := sleep("enabled")
		before := app.Now()
		spoken := say()
		if r := asleep.Wait(); r.Stdout != "hello1\n" {
			t.Errorf("it is woken up, and reads %+v", r)
		}
		if woke := app.Now(); woke.Sub(spoken) > time.Second || spoken.Sub(before) > 10*time.Second {
			t.Errorf("what was sent at %s woke it up at %s", spoken, woke)
		}
		sleep("disabled")
		say()
		app.Sleep(2 * time.Second)
		for _, e := range app.Events() {
			if command, _ := e.Get("command"); e.Kind == "exec" && e.Time > spoken && e.Board == "a" && strings.Contains(command, "disabled") {
				t.Errorf("what arrives wakes it up at %s", e.Time)
			}
		}
		if lost := app.MustGet("a.uart1.overrun"); lost != "5" {
			t.Errorf("%s bytes are lost, want 5", lost)
		}
	})
}
