package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// TestManyBoards runs 128 boards on one segment: each hears from the one before it.
func TestManyBoards(t *testing.T) {
	const n = 128
	root := guesttest.Rootfs(t, "/usr/bin/ping")
	files := make(map[string]string)
	var text, ports strings.Builder
	for i := range n {
		name := fmt.Sprintf("b%d", i)
		files[name+".toml"] = fmt.Sprintf("name = %q\nmemory = \"40M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=1\"\n"+
			"[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.%d/24\"\n", name, root, i+1)
		fmt.Fprintf(&text, "[[board]]\nfile = %q\n", name+".toml")
		fmt.Fprintf(&ports, "%q, ", name+".eth0")
	}
	files["main.toml"] = "name = \"many\"\n" + text.String() + "[[segment]]\nname = \"lan\"\nlatency = \"1ms\"\nports = [" + ports.String() + "]\n"
	app := guesttest.Run(t, files, guesttest.Options{Seed: 1})
	var pings []*guesttest.Command
	for i := range n {
		pings = append(pings, app.StartCommand(fmt.Sprintf("b%d", i), "/usr/bin/ping", "-c", "2", fmt.Sprintf("10.0.0.%d", (i+1)%n+1)))
	}
	begin := app.Now()
	for i, p := range pings {
		// The first round trip has an address to resolve; the second is 1 ms each way.
		if r := p.Wait(); r.Status != 0 || !strings.Contains(r.Stdout, "time=2.") {
			t.Errorf("board %d: status %d\n%s%s", i, r.Status, r.Stdout, r.Stderr)
		}
	}
	if d := app.Now().Sub(begin); d > 5*time.Second {
		t.Errorf("two pings a second apart took %s", d)
	}
}
