package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// TestDriverEnable: a program answers over an RS-485 bus, with a GPIO line as its driver's
// enable. If it lowers the line after tcdrain, the answer is whole; if it does so when write
// has returned, or some time later that is too short, the last characters are lost.
func TestDriverEnable(t *testing.T) {
	const answer = "an-answer-of-more-than-forty-characters-of-a-meter" // 50, 52 ms at 9600 baud
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	board := fmt.Sprintf("[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"led\", \"de\"]\n"+
		"[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nreceiver = \"inverse\"\n", guesttest.Rootfs(t, tty))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{
			"plc.toml":   "name = \"plc\"\n" + board + "driver_enable = \"rts\"\nrs485 = true\n",
			"meter.toml": "name = \"meter\"\n" + board + "driver_enable = \"gpio0.de\"\n",
			"main.toml": "name = \"bus\"\n[[board]]\nfile = \"plc.toml\"\n[[board]]\nfile = \"meter.toml\"\n" +
				"[[rs485]]\nname = \"bus\"\nports = [\"plc.uart1\", \"meter.uart1\"]\n"}, o)
		ask := func(t *testing.T, until string) string {
			t.Helper()
			meter := app.StartCommand("meter", append(append([]string{"tty", "/dev/ttyS1", "gpio=/dev/gpiochip0:1", "rate=9600", "wait=10s", "read=5",
				"sleep=5ms", "line=high", "say=" + answer}, strings.Fields(until)...), "line=low")...)
			app.Sleep(300 * time.Millisecond)
			plc := app.Do("plc", "tty", "/dev/ttyS1", "rate=9600", "say=value", "read=50")
			wants(t, meter.Wait().Stdout, `read "value"`, "line high", "line low")
			_, got, _ := strings.Cut(plc, "read ")
			got, _, _ = strings.Cut(got, "\n")
			return got
		}
		t.Run("after tcdrain", func(t *testing.T) {
			if got := ask(t, "drain"); got != fmt.Sprintf("%q", answer) {
				t.Errorf("it reads %s", got)
			}
		})
		t.Run("after 20 ms", func(t *testing.T) {
			got := ask(t, "sleep=20ms")
			if !strings.HasPrefix(got, `"`+answer[:10]) || strings.Contains(got, answer[40:]) {
				t.Errorf("it reads %s", got)
			}
		})
		t.Run("after write", func(t *testing.T) {
			if got := ask(t, ""); strings.Contains(got, answer[40:]) {
				t.Errorf("it reads %s", got)
			}
		})
	})
}
