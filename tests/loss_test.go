package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph/catalog"
	"backplane/simbus"
	"backplane/simbus/ether"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// crowd is an appliance of boards on one segment, which wake on their own; the
// second waits for the first's answers, one after another.
func crowd(t *testing.T, n int) *boards.Appliance {
	t.Helper()
	root, dir := guesttest.Rootfs(t, "/usr/bin/ping"), t.TempDir()
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "tick"), "#!/bin/sh\nwhile usleep 9000; do echo tick; done\n")
	write(filepath.Join(root, "ask"), "#!/bin/sh\nusleep 50000\nexec /usr/bin/ping -i 0.009 10.0.0.1\n")
	main := "name = \"crowd\"\n"
	ports := make([]string, n)
	for i := 1; i <= n; i++ {
		program := [...]string{"", "/tick", "/ask", "/tick"}[min(i, 3)]
		write(filepath.Join(dir, fmt.Sprintf("b%d.toml", i)), fmt.Sprintf("name = \"b%d\"\nmemory = \"64M\"\n[firmware]\nrootfs = [%q]\ninit = %q\nargs = \"loglevel=4\"\n"+
			"[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.%d/24\"\n", i, root, program, i))
		main += fmt.Sprintf("[[board]]\nfile = \"b%d.toml\"\n", i)
		ports[i-1] = fmt.Sprintf("%q", fmt.Sprintf("b%d.eth0", i))
	}
	write(filepath.Join(dir, "main.toml"), main+"[[segment]]\nname = \"lan\"\nlatency = \"1ms\"\nports = ["+strings.Join(ports, ", ")+"]\n")
	a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// survivors are what the boards from the third on have done before a time: they
// have nothing to do with the first one.
func survivors(events []simbus.Event, until simbus.Time) []string {
	var list []string
	for i := range events {
		e := &events[i]
		if e.Time < until && e.Board > "b2" {
			list = append(list, string(e.AppendJSON(nil)))
		}
	}
	return list
}

const (
	lossAt  = simbus.Time(300 * time.Millisecond)
	lossEnd = simbus.Time(700 * time.Millisecond)
)

// advance lets time go on.
func advance(t *testing.T, app *guesttest.App, until simbus.Time, stop func(*simbus.Event) bool) {
	t.Helper()
	if _, err := app.Advance(context.Background(), until, stop); err != nil {
		t.Fatal(err)
	}
}

// TestLossOfAGuest takes a board from the others in every way and at all kinds
// of times, and wants the others to go on as if nothing had happened.
func TestLossOfAGuest(t *testing.T) {
	signal := func(t *testing.T, app *guesttest.App, s unix.Signal) {
		t.Helper()
		pid, err := app.KernelPID("b1")
		if err == nil {
			err = unix.Kill(pid, s)
		}
		if err != nil {
			t.Error(err)
		}
	}
	busy := func(t *testing.T, app *guesttest.App) {
		app.StartCommand("b1", "/bin/sh", "-c", "while :; do :; done")
	}
	sends := func(e *simbus.Event) bool {
		from, _ := e.Get("from")
		return e.Kind == ether.KindFrame && from == "b1.eth0" && e.Time > lossAt
	}
	ways := []struct {
		name   string
		before func(t *testing.T, app *guesttest.App) // before it boots
		lose   func(t *testing.T, app *guesttest.App) // at lossAt
		state  string
		detail string
	}{
		{"killed while it waits", nil, func(t *testing.T, app *guesttest.App) { signal(t, app, unix.SIGKILL) }, appliance.StateLost, "killed"},
		{"killed while it computes", nil, func(t *testing.T, app *guesttest.App) { inItsTurn(t, app, unix.SIGKILL) }, appliance.StateLost, "killed"},
		{"killed while it sends", nil, func(t *testing.T, app *guesttest.App) {
			var once sync.Once
			pid, err := app.KernelPID("b1")
			if err != nil {
				t.Fatal(err)
			}
			advance(t, app, lossEnd, func(e *simbus.Event) bool {
				if sends(e) {
					once.Do(func() { _ = unix.Kill(pid, unix.SIGKILL) })
				}
				return false
			})
		}, appliance.StateLost, "killed"},
		{"killed before it boots", func(t *testing.T, app *guesttest.App) { signal(t, app, unix.SIGKILL) }, nil, appliance.StateLost, "killed"},
		{"stopped while it waits", nil, func(t *testing.T, app *guesttest.App) { signal(t, app, unix.SIGSTOP) }, appliance.StateLost, "was stopped by a signal"},
		{"stopped while it computes", nil, func(t *testing.T, app *guesttest.App) { inItsTurn(t, app, unix.SIGSTOP) }, appliance.StateLost, "was stopped by a signal"},
		{"stopped before it boots", func(t *testing.T, app *guesttest.App) { signal(t, app, unix.SIGSTOP) }, nil, appliance.StateLost, "was stopped by a signal"},
		{"held by a tracer", nil, func(t *testing.T, app *guesttest.App) { trace(t, app) }, appliance.StateLost, "is held by a tracer, tests.test"},
		{"hangs", nil, busy, appliance.StateLost, "loops without sleeping"},
		{"panics", nil, func(t *testing.T, app *guesttest.App) { app.StartCommand("b1", "/bin/sh", "-c", "kill -QUIT 1") }, appliance.StatePanic, "Attempted to kill init"},
	}
	for _, n := range []int{3, 6} { // on one CPU, and on all
		t.Run(fmt.Sprintf("%d boards", n), func(t *testing.T) {
			a := crowd(t, n)
			var want []string
			run := func(t *testing.T, before, lose func(*testing.T, *guesttest.App)) *guesttest.App {
				app := guesttest.StartAppliance(t, a, guesttest.Options{Seed: 1, StallLimit: 2 * time.Second})
				if before != nil {
					before(t, app)
				}
				advance(t, app, lossAt, nil)
				if lose != nil {
					lose(t, app)
				}
				advance(t, app, lossEnd, nil)
				return app
			}
			app := run(t, nil, nil)
			if want = survivors(app.Events(), lossEnd); len(want) < (n-2)*40 {
				t.Fatalf("only %d events of those who survive", len(want))
			}
			if heard := heardAfter(app.Events(), lossAt); heard < 15 {
				t.Fatalf("the second board hears the first %d times", heard)
			}
			for _, way := range ways {
				if n > 3 && !slices.Contains([]string{"killed while it sends", "stopped while it waits", "hangs"}, way.name) {
					continue // how it is lost does not depend on who drives the others
				}
				t.Run(way.name, func(t *testing.T) {
					app := run(t, way.before, way.lose)
					got := survivors(app.Events(), lossEnd)
					for i := range max(len(got), len(want)) {
						if i >= len(got) || i >= len(want) || got[i] != want[i] {
							t.Fatalf("event %d of those who survive is\n%s\nwithout the loss it is\n%s", i, at(got, i), at(want, i))
						}
					}
					state, detail := lastState(app.Events(), "b1")
					if state != way.state || !strings.Contains(detail, way.detail) {
						t.Errorf("it is reported as %s: %q", state, detail)
					}
					if err := app.PowerOn("b1"); err != nil {
						t.Fatal(err)
					}
					untilState(app, "b1", appliance.StateUp)
				})
			}
		})
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}

func heardAfter(events []simbus.Event, t simbus.Time) (n int) {
	for i := range events {
		if line, _ := events[i].Get("line"); events[i].Board == "b2" && strings.Contains(line, "bytes from 10.0.0.1") && events[i].Time > t {
			n++
		}
	}
	return n
}

func lastState(events []simbus.Event, board string) (state, detail string) {
	for i := range events {
		if e := &events[i]; e.Kind == appliance.KindGuest && e.Board == board {
			state, _ = e.Get("state")
			detail, _ = e.Get("detail")
		}
	}
	return state, detail
}

// inItsTurn sends the first board's kernel a signal once a program in it has
// said that it is about to compute without end: the board has the time then.
func inItsTurn(t *testing.T, app *guesttest.App, s unix.Signal) {
	t.Helper()
	pid, err := app.KernelPID("b1")
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var said []byte
	_, detach, err := app.Attach("b1", func(p []byte) {
		if said = append(said, p...); strings.Contains(string(said), "busy") {
			once.Do(func() { _ = unix.Kill(pid, s) })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	app.StartCommand("b1", "/bin/sh", "-c", "echo busy >/dev/console; while :; do :; done")
	advance(t, app, lossEnd, nil)
	detach()
}

// trace has another process hold the first board's kernel, as a debugger does.
func trace(t *testing.T, app *guesttest.App) {
	t.Helper()
	pid, err := app.KernelPID("b1")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestTracer$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("BACKPLANE_TEST_TRACE=%d", pid))
	release := hold(t, cmd, "it is held")
	t.Cleanup(func() { _ = release() })
}

// hold starts a program that holds something until its input ends, and waits until it
// says so in a line. release ends the program.
func hold(t *testing.T, cmd *exec.Cmd, says string) (release func() error) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release = func() error { in.Close(); return cmd.Wait() }
	for s := bufio.NewScanner(out); s.Scan(); {
		if s.Text() == says {
			return release
		}
	}
	t.Fatalf("%s does not say %q: %v", cmd, says, release())
	return nil
}

// TestTracer is the process that trace starts: it holds another one until its
// input ends.
func TestTracer(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv("BACKPLANE_TEST_TRACE"))
	if err != nil {
		t.Skip("it is a part of TestLossOfAGuest")
	}
	runtime.LockOSThread()
	if err := unix.PtraceAttach(pid); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nit is held")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	if err := unix.PtraceDetach(pid); err != nil && !errors.Is(err, unix.ESRCH) {
		t.Error(err)
	}
}

// TestOnGuestLoss plays a scenario whose board panics.
func TestOnGuestLoss(t *testing.T) {
	root := guesttest.Rootfs(t)
	for loss, want := range map[string]struct {
		status int
		out    string
	}{
		"":         {1, "board b panicked: Kernel panic"},
		"fail":     {1, "board b panicked: Kernel panic"},
		"continue": {0, "PASSED: s"},
		"ignore":   {2, `on_guest_loss is "ignore"; it must be "fail" or "continue"`},
	} {
		t.Run(loss, func(t *testing.T) {
			key := ""
			if loss != "" {
				key = fmt.Sprintf("on_guest_loss = %q\n", loss)
			}
			file := scenarioFile(t, root, key+`
[[step]]
send = { to = "b", text = "kill -QUIT 1\n" }
[[step]]
wait = "1s"
`)
			out, errs, status := run(t, nil, "run", file)
			if status != want.status || !strings.Contains(out+errs, want.out) {
				t.Errorf("status %d, want %d, and %q in\n%s%s", status, want.status, want.out, out, errs)
			}
		})
	}
	t.Run("stall_limit", func(t *testing.T) {
		file := scenarioFile(t, root, `stall_limit = "1s"
[[step]]
send = { to = "b", text = "while :; do :; done\n" }
expect = { event = "guest", where = { state = "lost", detail = "for 1s of host time: sh .PID" } }
`)
		if out, errs, status := run(t, nil, "run", file); status != 0 {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
	})
}
