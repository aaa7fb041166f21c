package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"backplane/periph/gpio"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// wirePair is two boards with a wire from one to the other.
func wirePair(root, delay string) map[string]string {
	// What programs do takes no time: edges are where their program wants them.
	board := fmt.Sprintf("[time]\nsyscall = \"0s\"\ngpio = \"0s\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"out\", \"in\"]\n", root)
	return map[string]string{"a.toml": "name = \"a\"\n" + board, "b.toml": "name = \"b\"\n" + board, "main.toml": fmt.Sprintf(`
name = "wired"
[[board]]
file = "a.toml"
[[board]]
file = "b.toml"
[[wire]]
name = "clock"
from = "a.gpio0.out"
to = "b.gpio0.in"
delay = %q
`, delay)}
}

// lineEdges are the times of a line's edges.
func lineEdges(app *guesttest.App, board, line string) (times []simbus.Time) {
	for _, e := range app.Events() {
		if l, _ := e.Get("line"); e.Kind == gpio.KindLevel && e.Board == board && l == line {
			times = append(times, e.Time)
		}
	}
	return times
}

var firstEdge = regexp.MustCompile(`first (\d+)`)

// TestEdges lets one board switch a line over every 10 us, and another see it by
// its interrupts: each edge once, at its time.
func TestEdges(t *testing.T) {
	const count, period = 5_000, 10 * time.Microsecond
	load := guesttest.Program(t, "backplane/tests/programs/load")
	for _, delay := range []time.Duration{0, time.Microsecond} {
		t.Run(delay.String(), func(t *testing.T) {
			var before []simbus.Event
			for range 2 {
				app := guesttest.Run(t, wirePair(guesttest.Rootfs(t, load), delay.String()), guesttest.Options{Seed: 1})
				args := []string{"/dev/gpiochip0", "0", period.String(), fmt.Sprint(count)}
				seen := app.StartCommand("b", append([]string{"load", "edges"}, "/dev/gpiochip0", "1", period.String(), fmt.Sprint(count))...)
				app.Sleep(100 * time.Millisecond)
				wall := time.Now()
				drove := app.StartCommand("a", append([]string{"load", "toggle"}, args...)...).Wait()
				t.Logf("%d edges in %s of the host's time", count, time.Since(wall).Round(time.Millisecond))
				saw := seen.Wait()
				if drove.Status != 0 || saw.Status != 0 {
					t.Fatalf("%+v\n%+v", drove, saw)
				}
				var first [2]time.Duration
				for i, out := range []string{drove.Stdout, saw.Stdout} {
					m := firstEdge.FindStringSubmatch(out)
					if m == nil {
						t.Fatalf("no first edge in %q", out)
					}
					n, err := strconv.ParseInt(m[1], 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					first[i] = time.Duration(n)
				}
				// The guests' own clocks step by some hundred nanoseconds.
				if d := first[1] - first[0] - delay; d.Abs() > time.Microsecond {
					t.Errorf("a's clock says %s for the first edge, b's %s", first[0], first[1])
				}
				if want := fmt.Sprintf(`seen %d .* irregular 0 dropped 0\n`, count); !regexp.MustCompile(want).MatchString(saw.Stdout) {
					t.Errorf("b says %q, want %q", saw.Stdout, want)
				}
				from, to := lineEdges(app, "a", "out"), lineEdges(app, "b", "in")
				if len(from) != count || len(to) != count {
					t.Fatalf("%d edges of a became %d of b, want %d", len(from), len(to), count)
				}
				for i := range from {
					off := from[i].Sub(from[0]) - time.Duration(i)*period
					if to[i] != from[i].Add(delay) || off.Abs() > time.Microsecond {
						t.Fatalf("edge %d at %s, %s off, and at %s on b", i, from[i], off, to[i])
					}
				}
				if n := app.MustGet("b.gpio0.in.missed"); n != "0" {
					t.Errorf("b was too slow for %s edges", n)
				}
				events := app.Events()
				if before != nil && !slices.EqualFunc(before, events, func(a, b simbus.Event) bool {
					return string(a.AppendJSON(nil)) == string(b.AppendJSON(nil))
				}) {
					t.Error("two runs differ")
				}
				before = events
				if err := app.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
