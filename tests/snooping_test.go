package tests

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// TestSnooping has the guests' kernels join and leave groups (IGMP and MLD): what
// their NICs had to filter out tells what the switch sent them.
func TestSnooping(t *testing.T) {
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/group"))
	files := map[string]string{"main.toml": `
name = "groups"
board = [{ file = "a.toml" }, { file = "b.toml" }, { file = "c.toml" }]
[[segment]]
name = "lan"
ports = ["a.eth0", "b.eth0", "c.eth0"]
snooping = true
`}
	for i, name := range []string{"a", "b", "c"} {
		files[name+".toml"] = fmt.Sprintf("name = %q\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.%d/24\"\n", name, root, i+1)
	}
	app := guesttest.Run(t, files, guesttest.Options{Seed: 1})
	app.Sleep(5 * time.Second) // the kernels have joined groups of their own
	filtered := func(board string) int {
		t.Helper()
		text, _, err := app.Get("lan:" + board + ".eth0.rx.filtered")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	app.Sh("a", "ip route add 224.0.0.0/4 dev eth0")
	for _, group := range []string{"239.1.2.3:7000", "[ff05::1234%eth0]:7000"} {
		send := func(n int) {
			t.Helper()
			app.Do("a", "group", "send", "eth0", group, fmt.Sprint(n))
			app.Sleep(10 * time.Millisecond)
		}
		before := filtered("c")
		send(3) // a group of nobody's goes to all
		if n := filtered("c") - before; n != 3 {
			t.Errorf("%s: c was sent %d frames of a group that nobody has joined, want 3", group, n)
		}
		b := app.StartCommand("b", "group", "join", "eth0", group, "10s")
		app.Sleep(2 * time.Second)
		before = filtered("c")
		send(10)
		if n := filtered("c") - before; n != 0 {
			t.Errorf("%s: c was sent %d frames of a group that b has joined", group, n)
		}
		if got := b.Wait(); got.Stdout != "10\n" {
			t.Errorf("%s: b got %q%s, want 10 datagrams", group, got.Stdout, got.Stderr)
		}
		app.Sleep(2 * time.Second)
		before = filtered("b")
		send(10)
		if n := filtered("b") - before; n != 0 {
			t.Errorf("%s: b was sent %d frames of a group that it has left", group, n)
		}
		if err := app.Set("lan.snooping", "false"); err != nil {
			t.Fatal(err)
		}
		send(10)
		if n := filtered("b") - before; n != 10 {
			t.Errorf("%s: without snooping b was sent %d frames of 10", group, n)
		}
		if err := app.Set("lan.snooping", "true"); err != nil {
			t.Fatal(err)
		}
	}
}
