package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/simbus/can"
	"backplane/tests/guesttest"
)

// canBoards start three boards on a CAN bus, with their interfaces up.
func canBoards(t *testing.T, o guesttest.Options) *guesttest.App {
	t.Helper()
	root := guesttest.Rootfs(t, "/usr/sbin/ip", "candump", "cansend", "cangen", "cansequence", "isotpsend", "isotprecv")
	app := guesttest.Run(t, map[string]string{
		"board.toml": fmt.Sprintf(`name = "ecu"
[firmware]
rootfs = [%q]
[[can]]
name = "can0"
bitrate = 500_000
data_bitrate = 2_000_000
`, root),
		"main.toml": `name = "car"
[[board]]
name = "a"
file = "board.toml"
[[board]]
name = "b"
file = "board.toml"
[[board]]
name = "c"
file = "board.toml"
[[can]]
name = "bus"
ports = ["a.can0", "b.can0", "c.can0"]
`}, o)
	for _, board := range []string{"a", "b", "c"} {
		app.Sh(board, "ip link set can0 up")
	}
	return app
}

// candump shows what a board receives until there have been so many frames.
func candump(app *guesttest.App, board string, frames int, more string) func() []string {
	c := app.StartCommand(board, "sh", "-c", fmt.Sprintf("candump -L -n %d can0%s | sed 's/.*can0 //'", frames, more))
	app.Sleep(50 * time.Millisecond) // until it listens
	return func() []string { return strings.Fields(c.Wait().Stdout) }
}

// TestCANFrames: frames of all kinds that can-utils send arrive on the other boards, and
// stand in the event stream.
func TestCANFrames(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		frames := []string{"123#", "7FF#0102030405060708", "1FFFFFFF#AA", "123#R", "123##4AABBCC", "00000001##4" + strings.Repeat("5A", 64)} // 4: CAN FD
		b, c := candump(app, "b", len(frames), ""), candump(app, "c", len(frames), "")
		for _, f := range frames {
			app.Do("a", "cansend", "can0", f)
		}
		var events []string
		for _, e := range app.Events() {
			if id, ok := e.Get("id"); ok && e.Kind == can.KindFrame {
				format, _ := e.Get("format")
				data, _ := e.Get("data")
				events = append(events, id+" "+format+" "+data)
			}
		}
		for board, got := range map[string][]string{"b": b(), "c": c()} {
			if strings.Join(got, " ") != strings.Join(frames, " ") {
				t.Errorf("%s got %q, want %q", board, got, frames)
			}
		}
		want := []string{"123 classic ", "7FF classic 0102030405060708", "1FFFFFFF classic AA", "123 remote ", "123 fd AABBCC", "00000001 fd " + strings.Repeat("5A", 64)}
		if strings.Join(events, "\n") != strings.Join(want, "\n") {
			t.Errorf("the events are %q, want %q", events, want)
		}
	})
}
