package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// linkFiles are two boards that nothing joins, and that share their time.
func linkFiles(root string) map[string]string {
	return map[string]string{
		"b.toml": fmt.Sprintf(`name = "b"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["in", "out"]
[[serial]]
name = "uart1"
[[serial]]
name = "uart2"
driver_enable = "rts"
rs485 = true
[[can]]
name = "can0"
[[ethernet]]
name = "eth0"
`, root),
		"main.toml": `name = "bare"
[[board]]
name = "x"
file = "b.toml"
lockstep = true
  [[board.ethernet]]
  name = "eth0"
  address = "10.0.0.1/24"
[[board]]
name = "y"
file = "b.toml"
lockstep = true
  [[board.ethernet]]
  name = "eth0"
  address = "10.0.0.2/24"
[[board]]
name = "z"
file = "b.toml"
  [[board.ethernet]]
  name = "eth0"
  address = "10.0.0.3/24"
`,
	}
}

// joins plugs what is between boards.
func joins(t *testing.T, app *guesttest.App, text string) {
	t.Helper()
	if err := app.Running.Do(appliance.Action{Kind: appliance.Plug, Data: []byte(text)}); err != nil {
		t.Fatal(err)
	}
}

// carrier waits until a board's port has one, or none.
func carrier(app *guesttest.App, board, want string) {
	present(app, board, "[ $(cat /sys/class/net/eth0/carrier) = "+want+" ]")
}

// opened waits until a program of a board has a file open.
func opened(app *guesttest.App, board, file string) {
	present(app, board, "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q "+file)
}

// TestPlugSegment joins boards by a switch that no file has, while they run: the kernel finds a
// carrier, and TCP runs at full size. One moves to another switch, and comes back.
func TestPlugSegment(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, linkFiles(guesttest.Rootfs(t)), o)
		carrier(app, "x", "0")
		joins(t, app, "[[segment]]\nname = 'lan'\nports = ['x.eth0', 'y.eth0']\nlatency = '100us'\n")
		carrier(app, "x", "1")
		carrier(app, "y", "1")
		big := func(to, address string) {
			t.Helper()
			c := app.StartCommand(to, "sh", "-c", "rm -f /tmp/in; mkfifo /tmp/in; nc -l -p 7 <>/tmp/in | wc -c")
			listens(app, to)
			app.Sh("x", "head -c 3000000 /dev/zero | nc "+address+" 7")
			if got := strings.TrimSpace(c.Wait().Stdout); got != "3000000" {
				t.Errorf("%s has got %s bytes", to, got)
			}
		}
		big("y", "10.0.0.2")
		joins(t, app, "[[segment]]\nname = 'lan'\nports = ['z.eth0']\n[[segment.port]]\nname = 'z.eth0'\nloss = 0\n")
		app.Sh("x", "ping -c 1 -W 5 10.0.0.3")
		big("z", "10.0.0.3")
		plugged(t, app, appliance.Unplug, "y.eth0")
		carrier(app, "y", "0")
		app.Sh("x", "! ping -c 1 -W 1 10.0.0.2 && ping -c 1 -W 5 10.0.0.3")
		joins(t, app, "[[segment]]\nname = 'dmz'\nports = ['y.eth0']\n")
		carrier(app, "y", "1")
		app.Sh("x", "! ping -c 1 -W 1 10.0.0.2")
		plugged(t, app, appliance.Unplug, "z.eth0")
		joins(t, app, "[[segment]]\nname = 'dmz'\nports = ['z.eth0']\n")
		app.Sh("y", "ping -c 1 -W 5 10.0.0.3 && ! ping -c 1 -W 1 10.0.0.1")
		plugged(t, app, appliance.Unplug, "dmz")
		carrier(app, "z", "0")
		plugged(t, app, appliance.Plug, "dmz")
		app.Sh("y", "ping -c 1 -W 5 10.0.0.3")
		plugged(t, app, appliance.Unplug, "dmz")
		joins(t, app, "[[segment]]\nname = 'lan'\nports = ['y.eth0', 'z.eth0']\n")
		big("y", "10.0.0.2")
		big("z", "10.0.0.3")
	})
}

// TestPlugCable joins serial ports and lines.
func TestPlugCable(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, linkFiles(guesttest.Rootfs(t, "gpioget", "gpioset", "gpiomon")), o)
		for _, b := range []string{"x", "y", "z"} {
			app.Sh(b, "stty -F /dev/ttyS0 115200 raw -echo")
		}
		say := func(from, to, text string) {
			t.Helper()
			c := app.StartCommand(to, "head", "-n1", "/dev/ttyS0")
			opened(app, to, "/dev/ttyS0")
			app.Sh(from, "echo "+text+" > /dev/ttyS0")
			if got := c.Wait().Stdout; got != text+"\n" {
				t.Errorf("%s hears %q of %s", to, got, from)
			}
		}
		joins(t, app, "[[serial]]\nname = 'line'\nports = ['x.uart1', 'z.uart1']\n")
		say("x", "z", "hello")
		say("z", "x", "back")
		plugged(t, app, appliance.Unplug, "line")
		app.Sh("x", "echo lost > /dev/ttyS0")
		plugged(t, app, appliance.Plug, "line")
		say("x", "z", "again")
		plugged(t, app, appliance.Unplug, "line")
		joins(t, app, "[[serial]]\nname = 'other'\nports = ['x.uart1', 'y.uart1']\ndelay = '2ms'\n")
		say("x", "y", "other")
		app.MustSet("x.gpio0.out", "1")
		joins(t, app, "[[wire]]\nname = 'alarm'\nfrom = 'x.gpio0.out'\nto = 'z.gpio0.in'\ndelay = '1ms'\n[[wire]]\nname = 'instant'\nfrom = 'x.gpio0.out'\nto = 'y.gpio0.in'\ndelay = '0s'\n")
		level := func(board, want string) {
			t.Helper()
			if got := strings.TrimSpace(app.Sh(board, "gpioget gpiochip0 0")); got != want {
				t.Errorf("the line of %s is %s, want %s", board, got, want)
			}
		}
		level("z", "1")
		level("y", "1")
		mon := app.StartCommand("z", "gpiomon", "--num-events=1", "--falling-edge", "--format=edge", "gpiochip0", "0")
		opened(app, "z", "gpio-event")
		app.MustSet("x.gpio0.out", "0")
		if got := mon.Wait().Stdout; got != "edge\n" {
			t.Errorf("z has seen %q", got)
		}
		level("y", "0")
		app.MustSet("x.gpio0.out", "1")
		plugged(t, app, appliance.Unplug, "alarm")
		level("z", "0") // it floats
		joins(t, app, "[[wire]]\nname = 'alarm'\nfrom = 'y.gpio0.out'\nto = 'z.gpio0.in'\n")
		app.MustSet("y.gpio0.out", "1")
		app.Sleep(time.Millisecond)
		level("z", "1")
	})
}

// frame sends a CAN frame from one board to another.
func frame(t *testing.T, app *guesttest.App, from, to, text string) {
	t.Helper()
	got := candump(app, to, 1, "")
	app.Do(from, "cansend", "can0", text)
	if frames := got(); len(frames) != 1 || frames[0] != text {
		t.Errorf("%s has got %q of %s", to, frames, from)
	}
}

// TestPlugBus joins boards that share their time by a CAN bus and an RS-485 bus.
func TestPlugBus(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, linkFiles(guesttest.Rootfs(t, "/usr/sbin/ip", "candump", "cansend")), o)
		err := app.Running.Do(appliance.Action{Kind: appliance.Plug, Data: []byte("[[can]]\nname = 'bus'\nports = ['x.can0', 'z.can0']\n")})
		if err == nil || !strings.Contains(err.Error(), "argument:3:20: x and z run apart, and a CAN bus joins boards that share their time: write lockstep = true") {
			t.Errorf("boards apart: %v", err)
		}
		app.Sh("x", "ip link set can0 up")
		app.Sh("y", "ip link set can0 up")
		joins(t, app, "[[can]]\nname = 'bus'\nports = ['x.can0', 'y.can0']\n")
		frame(t, app, "x", "y", "123#01")
		frame(t, app, "y", "x", "124#02")
		plugged(t, app, appliance.Unplug, "bus")
		plugged(t, app, appliance.Plug, "bus")
		frame(t, app, "x", "y", "125#03")
		plugged(t, app, appliance.Unplug, "bus:y.can0")
		joins(t, app, "[[can]]\nname = 'bus'\nports = ['y.can0']\n")
		frame(t, app, "y", "x", "126#04")

		for _, b := range []string{"x", "y"} {
			app.Sh(b, "stty -F /dev/ttyS1 115200 raw -echo")
		}
		joins(t, app, "[[rs485]]\nname = 'field'\nports = ['x.uart2', 'y.uart2']\n")
		c := app.StartCommand("y", "head", "-n1", "/dev/ttyS1")
		opened(app, "y", "/dev/ttyS1")
		app.Sh("x", "echo poll > /dev/ttyS1")
		if got := c.Wait().Stdout; got != "poll\n" {
			t.Errorf("y hears %q", got)
		}
	})
}

// TestPlugLinksScenario plays, verifies and replays a scenario that plugs links of all kinds.
func TestPlugLinksScenario(t *testing.T) {
	files := linkFiles(guesttest.Rootfs(t))
	files["s.toml"] = `appliance = "main.toml"
[[step]]
exec = { board = "x", command = ["ping", "-c", "1", "-W", "1", "10.0.0.3"], status = 1 }
[[step]]
plug = { toml = '''
[[segment]]
name = "lan"
ports = ["x.eth0", "z.eth0"]
latency = "1ms"
loss = 0.1
''' }
expect = { event = "plug", where = { part = "^lan$", state = "^plugged$" } }
[[step]]
exec = { board = "x", command = ["sh", "-c", "ping -i 0.01 -c 50 -W 1 10.0.0.3; ping -c 3 -W 1 10.0.0.3"] }
[[step]]
unplug = "lan:z.eth0"
[[step]]
plug = { toml = '''
[[segment]]
name = "lan"
ports = ["y.eth0"]
[[wire]]
name = "w"
from = "x.gpio0.out"
to = "z.gpio0.in"
delay = "3us"
[[serial]]
name = "s"
ports = ["y.uart1", "z.uart1"]
''' }
[[step]]
set = { "x.gpio0.out" = 1 }
expect = { line = "z.gpio0.in", edge = "rising", within = "1s" }
[[step]]
exec = { board = "y", command = ["sh", "-c", "ping -i 0.01 -c 50 -W 1 10.0.0.1; stty -F /dev/ttyS0 115200 raw; echo there > /dev/ttyS0"] }
expect = { event = "uart.rx", where = { board = "z", part = "uart1", data = "there" }, within = "1s" }
[[step]]
unplug = "w"
expect = { line = "z.gpio0.in", level = 0, within = "1ms" }
[[step]]
plug = "w"
expect = { line = "z.gpio0.in", level = 1, within = "1ms" }
`
	files["bad.toml"] = `appliance = "main.toml"
[[step]]
plug = { toml = '''
[[wire]]
name = "w"
from = "x.gpio0.out"
to = "z.gpio0.inn"
''' }
[[step]]
unplug = "w"
`
	dir := writeFiles(t, files)
	everyWay(t, filepath.Join(dir, "s.toml"), 3)
	_, errs, status := run(t, nil, "check", filepath.Join(dir, "bad.toml"))
	for _, want := range []string{`bad.toml:3:10: its toml:4:1: board z: gpio0 has no line "inn"`} {
		if status != 2 || !strings.Contains(errs, want) {
			t.Errorf("check: status %d, want %q in\n%s", status, want, errs)
		}
	}
}
