// Package tests holds the whole-appliance tests: real kernels, real drivers, and
// real client programs inside the guests.
package tests

import (
	"os"
	"testing"

	"backplane/tests/guesttest"
)

func TestMain(m *testing.M) {
	status := m.Run()
	guesttest.Clean()
	os.Exit(status)
}

// clocks runs a test under both clocks.
func clocks(t *testing.T, f func(t *testing.T, o guesttest.Options)) {
	t.Run("virtual", func(t *testing.T) { f(t, guesttest.Options{Seed: 1}) })
	t.Run("real", func(t *testing.T) { f(t, guesttest.Options{Seed: 1, Real: true}) })
}
