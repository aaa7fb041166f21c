package tests

import (
	"fmt"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestRing has two boards drive each other's lines, one of them the wrong way round:
// a ring oscillator. On wires that take no time, or hardly any, it has a frequency,
// that of the programs, and the appliance's time goes on.
func TestRing(t *testing.T) {
	follow := guesttest.Program(t, "backplane/tests/programs/follow")
	root := guesttest.Rootfs(t, follow)
	for _, delay := range []string{"0s", "1ns"} {
		t.Run(delay, func(t *testing.T) {
			files := wirePair(root, delay)
			files["main.toml"] += fmt.Sprintf("[[wire]]\nname = \"back\"\nfrom = \"b.gpio0.out\"\nto = \"a.gpio0.in\"\ndelay = %q\n", delay)
			app := guesttest.Run(t, files, guesttest.Options{Seed: 1})
			app.StartCommand("a", "follow", "in", "out")
			app.StartCommand("b", "follow", "-not", "in", "out")
			begin := app.Now()
			app.Sleep(5 * time.Millisecond)
			edges := lineEdges(app, "a", "out")
			if len(edges) < 20 {
				t.Fatalf("%d edges within 5 ms", len(edges))
			}
			if last := edges[len(edges)-1]; last < begin.Add(4*time.Millisecond) {
				t.Errorf("the last edge of %d was at %s, of a ring that has no end", len(edges), last)
			}
			at := make(map[simbus.Time]int)
			for _, e := range edges {
				if at[e]++; at[e] > 1 {
					t.Fatalf("more than one edge of a line at %s", e)
				}
			}
		})
	}
}
