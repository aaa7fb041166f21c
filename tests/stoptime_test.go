package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestStopTime: a kernel that restarts lets its lines go when it removes their controller, and
// tells the time of that: it does not depend on how time was let go on before.
func TestStopTime(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf(`name = "b"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["reset"]
[[i2c]]
name = "i2c0"
[[chip]]
name = "expander0"
model = "mcp23017"
on = "i2c0"
address = 0x20
pins = { reset = "gpio0.reset" }
`, guesttest.Rootfs(t)),
		"s.toml": `appliance = "b.toml"
on_guest_loss = "continue"
[[step]]
wait = "100ms"
[[step]]
unplug = "b.expander0" # it pulls the line up, which the kernel drives
[[step]]
send = { to = "b", text = "usleep 30300; reboot -f\n" }
expect = { event = "guest", where = { state = "off" }, within = "20s" }
[[step]]
wait = "200ms"
`})
	record := filepath.Join(t.TempDir(), "r")
	for _, tt := range []struct{ want, args string }{
		{"PASSED", "run --out " + record + " " + filepath.Join(dir, "s.toml")},
		{"SAME", "replay " + record},
	} {
		if out, errs, status := run(t, nil, strings.Fields(tt.args)...); status != 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: status %d\n%s%s", tt.args, status, out, errs)
		}
	}
}
