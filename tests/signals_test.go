package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestSignals: process 1 restarts the board and switches it off, in order, when BusyBox's programs ask it to by a signal, and
// takes no notice of others but SIGQUIT, which makes the kernel panic.
func TestSignals(t *testing.T) {
	const board = `
name = "b"
[firmware]
rootfs = [%q]
init = "/bin/sh"
init_args = ["-c", 'trap "echo in order; exit" TERM; while :; do sleep 1000 & wait; done']
`
	app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(board, guesttest.Rootfs(t))}, guesttest.Options{})
	inOrder := func(state string) {
		t.Helper()
		app.Until(time.Minute, "a word of the program", func(e *simbus.Event) bool {
			line, _ := e.Get("line")
			return strings.Contains(line, "in order")
		})
		app.Until(time.Minute, state, func(e *simbus.Event) bool {
			is, _ := e.Get("state")
			if is == appliance.StatePanic {
				t.Fatal(detail(e))
			}
			return e.Kind == appliance.KindGuest && is == state
		})
	}
	app.Sh("b", "for s in SEGV BUS FPE ILL HUP TRAP ABRT ALRM PIPE STKFLT CHLD CONT WINCH URG IO PROF VTALRM SYS PWR XCPU TSTP TTIN TTOU; do kill -$s 1; done")
	app.Sh("b", "kill -0 1")
	app.StartCommand("b", "/bin/busybox", "reboot")
	inOrder(appliance.StateUp)
	for _, command := range []string{"poweroff", "halt"} {
		app.StartCommand("b", "/bin/busybox", command)
		inOrder(appliance.StateOff)
		if err := app.PowerOn("b"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "b", appliance.StateUp)
	}
	app.StartCommand("b", "kill", "-QUIT", "1")
	untilState(app, "b", appliance.StatePanic)
}
