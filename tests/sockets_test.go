package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestMisusedSockets has root on a board load a module that misuses the sockets between
// its kernel and this program. The rest of the appliance goes on, the board's fault is
// told, and nothing of it is left when its plug has been pulled.
func TestMisusedSockets(t *testing.T) {
	ko, err := os.ReadFile(module(t, "sockets"))
	if err != nil {
		t.Fatal(err)
	}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, "busybox", "echo", "head")
		if err := os.WriteFile(filepath.Join(root, "sockets.ko"), ko, 0o644); err != nil {
			t.Fatal(err)
		}
		app := guesttest.Run(t, map[string]string{
			"main.toml": "name = \"a\"\n[[board]]\nname = \"evil\"\nfile = \"board.toml\"\n[[board]]\nname = \"other\"\nfile = \"board.toml\"\n" +
				"[[segment]]\nname = \"lan\"\nports = [\"evil.eth0\", \"other.eth0\"]\n",
			"board.toml": fmt.Sprintf("name = \"b\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\n[[gpio]]\nname = \"gpio0\"\nlines = [\"a\"]\n[[ethernet]]\nname = \"eth0\"\n", root),
		}, o)
		before := descriptors(t)
		for what, told := range map[string]bool{"descriptors": true, "tables": false, "drops": true, "half": false, "connections": false} {
			seen := len(app.Events())
			app.StartCommand("evil", "busybox", "insmod", "/sockets.ko", "what="+what)
			for range 5 {
				if out := app.Do("other", "echo", "well"); out != "well\n" {
					t.Errorf("%s: the other board says %q", what, out)
				}
				app.Sleep(time.Second / 10)
			}
			if told && !slices.ContainsFunc(app.Events()[seen:], func(e simbus.Event) bool {
				why, _ := e.Get("error")
				return e.Board == "evil" && e.Kind == periph.KindDevice && strings.Contains(why, "guest broke the vhost-user protocol: ")
			}) {
				t.Errorf("%s: nobody is told of it", what)
			}
			if err := app.PullPlug("evil"); err != nil && !strings.Contains(err.Error(), "is off") {
				t.Errorf("%s: %v", what, err)
			}
			app.Sleep(time.Second)
			if err := app.PowerOn("evil"); err != nil {
				t.Fatal(err)
			}
			app.Until(time.Minute, what+": the board's next hello", func(e *simbus.Event) bool {
				state, _ := e.Get("state")
				return e.Board == "evil" && e.Kind == appliance.KindGuest && state == appliance.StateUp
			})
			if out := app.Do("evil", "head", "-c", "4", "/dev/hwrng"); len(out) != 4 {
				t.Errorf("%s: the board's devices give %q", what, out)
			}
			// What a kernel printed to is read on for a second of the host's, not of the appliance's.
			for deadline := time.Now().Add(20 * time.Second); descriptors(t) > before; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					open, _ := exec.Command("ls", "-l", fmt.Sprintf("/proc/%d/fd", os.Getpid())).CombinedOutput()
					t.Errorf("%s: %d descriptors, and %d before:\n%s", what, descriptors(t), before, open)
					break
				}
			}
		}
	})
}
