package tests

import (
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// TestPlugAsleep plugs and unplugs disks while their board sleeps: nothing wakes it, and when it wakes up it finds what is
// there and what has gone.
func TestPlugAsleep(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t), 9600), o)
		if err := fit(app, "a", "[[disk]]\nname = \"first\"\nsize = \"1M\"\nserial = \"first\"\n"); err != nil {
			t.Fatal(err)
		}
		present(app, "a", "grep -qx first /sys/block/vda/serial 2>/dev/null")
		asleep := app.StartCommand("a", "/bin/sh", "-c", "stty -F /dev/ttyS1 9600 raw -echo; exec 3</dev/ttyS1; echo enabled >/sys/class/tty/ttyS1/power/wakeup; "+
			"echo freeze >/sys/power/state; head -c 1 <&3; for i in $(seq 100); do grep -qx second /sys/block/vd?/serial 2>/dev/null && ! grep -qx first /sys/block/vd?/serial && break; sleep 0.05; done; cat /sys/block/vd?/serial")
		app.Sleep(time.Second)
		plugged(t, app, appliance.Unplug, "a.first")
		if err := fit(app, "a", "[[disk]]\nname = \"second\"\nsize = \"2M\"\nserial = \"second\"\n"); err != nil {
			t.Fatal(err)
		}
		app.Sleep(time.Second)
		for _, e := range app.Events() {
			if e.Kind == "exec" && e.Board == "a" && e.Time > app.Now().Add(-time.Second) {
				t.Errorf("it is awake: %s", e.AppendJSON(nil))
			}
		}
		app.Sh("b", "stty -F /dev/ttyS1 9600 raw -echo; echo > /dev/ttyS1")
		if r := asleep.Wait(); r.Stdout != "\nsecond\n" && r.Stdout != "\nsecond" {
			t.Errorf("awake it has %+v", r)
		}
	})
}
