package tests

import (
	"fmt"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestSetserial: the kernel takes settings of a port whose clock is at least 16 times 9600 Hz, and
// of no slower one (drivers/tty/serial/serial_core.c, uart_set_info), as on hardware. The port
// works all the same.
func TestSetserial(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	for _, tt := range []struct {
		clock int
		want  string
	}{{153_600, "closed"}, {153_584, "invalid argument"}} {
		board := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[serial]]\nname = \"uart1\"\nbaud = 1200\nclock = %d\n", guesttest.Rootfs(t, tty), tt.clock)
		app := guesttest.Run(t, map[string]string{"main.toml": board}, guesttest.Options{Seed: 1})
		if r := app.StartCommand("b", "tty", "/dev/ttyS0", "fifo=32").Wait(); !strings.Contains(r.Stdout+r.Stderr, tt.want) {
			t.Errorf("with a clock of %d Hz, to change the FIFO's size: %+v", tt.clock, r)
		}
		app.Do("b", "tty", "/dev/ttyS0", "rate=1200", "say=hello", "drain")
		if got := app.MustGet("b.uart1.sent"); got != "5" {
			t.Errorf("with a clock of %d Hz it has sent %s bytes, want 5", tt.clock, got)
		}
	}
}
