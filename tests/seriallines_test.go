package tests

import (
	"fmt"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestLinesAtOnce: a port whose RTS is joined to its own CTS shows that right after RTS was set, as
// a UART's modem status register does.
func TestLinesAtOnce(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(`name = "b"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["loop"]
[[serial]]
name = "uart1"
pins = { rts = "gpio0.loop", cts = "gpio0.loop" }
`, guesttest.Rootfs(t, tty))}, o)
		turns := []string{"tty", "/dev/ttyS0"}
		var want []string
		for range 50 {
			turns = append(turns, "rts=off", "rts=on")
			want = append(want, " rts off 0x2\n", " rts on 0x26\n") // DTR; DTR, RTS and CTS
		}
		out := app.Do("b", turns...)
		if n := strings.Count(out, want[0]) + strings.Count(out, want[1]); n != len(turns)-2 {
			t.Errorf("%d of %d looks show the line as it is:\n%s", n, len(turns)-2, out)
		}
		wants(t, out, want...)
	})
}
