// Package tests holds the whole-appliance tests: real kernels, real drivers, and
// real client programs inside the guests.
package tests

import (
	"os"
	"os/signal"
	"testing"

	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// What is ignored here, since somebody runs this with nohup or in the background, the
	// programs that are tried would ignore as well: those of a signal that is taken do not.
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	status := m.Run()
	guesttest.Clean()
	os.Exit(status)
}

// clocks runs a test under both clocks.
func clocks(t *testing.T, f func(t *testing.T, o guesttest.Options)) {
	t.Run("virtual", func(t *testing.T) { f(t, guesttest.Options{Seed: 1}) })
	t.Run("real", func(t *testing.T) { f(t, guesttest.Options{Seed: 1, Real: true}) })
}
