package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/tomlfile"
	"backplane/periph/catalog"
	"backplane/simbus"
	"backplane/simbus/gateway"
	"backplane/tests/guesttest"
)

// site is two boards, one of which asks for its address, and a gateway.
func site(root, gateway string) map[string]string {
	board := func(name, ethernet string) string {
		return fmt.Sprintf("name = %q\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[ethernet]]\nname = \"eth0\"\n%s\n", name, root, ethernet)
	}
	return map[string]string{
		"sensor.toml":  board("sensor", `address = "dhcp"`),
		"control.toml": board("control", "address = \"10.0.0.2/24\"\ngateway = \"10.0.0.254\"\ndns = [\"10.0.0.254\"]"),
		"main.toml": `
name = "site"
paced = true
[[board]]
file = "sensor.toml"
[[board]]
file = "control.toml"
[[segment]]
name = "lan"
ports = ["sensor.eth0", "control.eth0"]
[[gateway]]
name = "outside"
segment = "lan"
address = "10.0.0.254/24"
` + gateway}
}

const udhcpcScript = `#!/bin/sh
case "$1" in bound)
ip addr flush dev $interface
ip addr add $ip/$mask dev $interface
ip route add default via $router
echo "nameserver $dns" > /etc/resolv.conf
echo "bound to $ip by $serverid, domain $domain"
esac
`

func gatewayRoot(t *testing.T, programs ...string) string {
	t.Helper()
	root := guesttest.Rootfs(t, programs...)
	for _, applet := range []string{"udhcpc", "nslookup", "wget", "route", "ping6"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "udhcpc.sh"), []byte(udhcpcScript), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// action waits for something that the gateway does.
func action(app *guesttest.App, what string) simbus.Event {
	return app.Until(time.Minute, "the gateway's "+what, func(e *simbus.Event) bool {
		a, _ := e.Get("action")
		return e.Kind == gateway.KindGateway && a == what
	})
}

func actions(app *guesttest.App, what string) (list []string) {
	for _, e := range app.Events() {
		if a, _ := e.Get("action"); e.Kind == gateway.KindGateway && a == what {
			list = append(list, string(e.AppendJSON(nil)))
		}
	}
	return list
}

// TestGatewayBothWays takes boards through a gateway: addresses, names, a server
// on the host, and a server on a board.
func TestGatewayBothWays(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello %s\n", r.URL.Path)
		}))
		defer web.Close()
		port := netip.MustParseAddrPort(web.Listener.Addr().String()).Port()
		host := freePort(t)
		app := guesttest.Run(t, site(gatewayRoot(t), fmt.Sprintf(`
host_access = true
forward = [{ host = %q, to = "control:7" }]
`, host)), o)

		if got := app.Sh("sensor", "ip -o -4 addr show eth0; ip route; cat /etc/resolv.conf"); !strings.Contains(got, "10.0.0.1/24") ||
			!strings.Contains(got, "default via 10.0.0.254") || !strings.Contains(got, "search site\nnameserver 10.0.0.254") {
			t.Errorf("after DHCP by init:\n%s", got)
		}
		if got := app.Sh("control", "ip route; cat /etc/resolv.conf"); !strings.Contains(got, "default via 10.0.0.254") || !strings.Contains(got, "nameserver 10.0.0.254") {
			t.Errorf("after static set-up by init:\n%s", got)
		}
		if got := app.Sh("sensor", "udhcpc -i eth0 -n -q -s /udhcpc.sh"); !strings.Contains(got, "bound to 10.0.0.1 by 10.0.0.254, domain site") {
			t.Errorf("udhcpc says\n%s", got)
		}
		if n := len(actions(app, gateway.ActionLease)); n != 2 {
			t.Errorf("%d events of leases, want one for init and one for udhcpc", n)
		}
		for name, want := range map[string]string{"control": "10.0.0.2", "control.site": "10.0.0.2", "sensor": "10.0.0.1", "outside": "10.0.0.254"} {
			if got := app.Sh("sensor", "nslookup "+name+" 10.0.0.254"); !strings.Contains(got, "Address: "+want) {
				t.Errorf("nslookup %s says\n%s", name, got)
			}
		}
		app.Sh("sensor", "ping -c 1 outside; ping -c 1 control")
		if got := app.Sh("sensor", fmt.Sprintf("wget -q -O - http://outside:%d/from/sensor", port)); got != "hello /from/sensor\n" {
			t.Errorf("wget prints %q", got)
		}
		action(app, gateway.ActionOpen)

		server := app.StartCommand("control", "/bin/sh", "-c", "echo from the board | nc -l -p 7")
		listens(app, "control")
		got := make(chan string)
		go func() {
			c, err := net.Dial("tcp", host)
			if err != nil {
				got <- err.Error()
				return
			}
			defer c.Close()
			fmt.Fprintln(c, "from the host")
			_ = c.(*net.TCPConn).CloseWrite()
			b, err := io.ReadAll(c)
			got <- fmt.Sprint(string(b), err)
		}()
		action(app, gateway.ActionForward)
		if r := server.Wait(); r.Stdout != "from the host\n" {
			t.Errorf("the board's server got %+v", r)
		}
		action(app, gateway.ActionClosed)
		if s := <-got; s != "from the board\n<nil>" {
			t.Errorf("the host's client got %q", s)
		}

		// A board that loses its power comes back to the same address.
		app.StartCommand("sensor", "/bin/sh", "-c", fmt.Sprintf("nc 10.0.0.254 %d < /dev/zero", port))
		action(app, gateway.ActionOpen)
		if err := app.PullPlug("sensor"); err != nil {
			t.Fatal(err)
		}
		if err := app.PowerOn("sensor"); err != nil {
			t.Fatal(err)
		}
		app.Until(10*time.Second, "the sensor's return", func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			return e.Kind == appliance.KindGuest && e.Board == "sensor" && state == appliance.StateUp
		})
		if got := app.Sh("sensor", fmt.Sprintf("ip -o -4 addr show eth0; wget -q -O - http://outside:%d/again", port)); !strings.Contains(got, "10.0.0.1/24") || !strings.HasSuffix(got, "hello /again\n") {
			t.Errorf("after a loss of power:\n%s", got)
		}
	})
}

// freePort is an address of the host that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestGatewayIsShut tries what a gateway does not let through unless it is asked to.
func TestGatewayIsShut(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	port := netip.MustParseAddrPort(web.Listener.Addr().String()).Port()
	app := guesttest.Run(t, site(gatewayRoot(t), `allow = ["192.0.2.0/24:80"]`), guesttest.Options{Real: true})
	for _, to := range []string{fmt.Sprint("10.0.0.254 ", port), "198.51.100.1 80", "192.0.2.1 81"} {
		if r := app.StartCommand("sensor", "/bin/sh", "-c", "nc "+to+" < /dev/null").Wait(); r.Status == 0 || !strings.Contains(r.Stderr, "refused") {
			t.Errorf("nc %s ended with %+v, want a connection refused", to, r)
		}
	}
	if list := actions(app, gateway.ActionRefused); len(list) != 3 {
		t.Errorf("three were refused, and the events are %q", list)
	}
}

// TestGatewayNeedsPace starts an appliance with a gateway in virtual time.
func TestGatewayNeedsPace(t *testing.T) {
	files := site(t.TempDir(), "")
	files["main.toml"] = strings.Replace(files["main.toml"], "paced = true\n", "", 1)
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	_, err = appliance.Start(t.Context(), a, appliance.Options{Virtual: true, Start: guesttest.Start})
	if p, ok := err.(tomlfile.Problems); !ok || !strings.HasPrefix(p.Error(), filepath.Join(dir, "main.toml")+":10:3: a gateway leads to the world outside") {
		t.Errorf("the error is %v", err)
	}
}

// TestGatewayCarriesMuch runs iperf3 between a board and the host, each way.
func TestGatewayCarriesMuch(t *testing.T) {
	t.Parallel()
	clocks(t, func(t *testing.T, o guesttest.Options) {
		amount := "256M"
		if !o.Real {
			amount = "16M"
		}
		_, port, err := net.SplitHostPort(freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		root := gatewayRoot(t, "iperf3")
		app := guesttest.Run(t, site(root, "host_access = true"), o)
		for _, way := range [][]string{nil, {"-R"}} {
			server := exec.CommandContext(t.Context(), "iperf3", "-s", "-1", "--forceflush", "-B", "127.0.0.1", "-p", port)
			out, err := server.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			line, r := "", bufio.NewReader(out)
			for !strings.Contains(line, "listening") {
				if line, err = r.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			got := app.Do("sensor", append([]string{"iperf3", "-c", "10.0.0.254", "-p", port, "-n", amount}, way...)...)
			_, _ = io.Copy(io.Discard, r)
			if err := server.Wait(); err != nil {
				t.Error(err)
			}
			lines := strings.Split(strings.TrimSpace(got), "\n")
			if len(lines) < 4 || !strings.Contains(got, "receiver") {
				t.Fatalf("iperf3 prints\n%s", got)
			}
			t.Log(strings.Join(lines[len(lines)-4:], "\n"))
		}
	})
}

// TestGatewayExamples checks what docs/gateway.md shows of appliance and board files.
func TestGatewayExamples(t *testing.T) {
	text, err := os.ReadFile("../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+ = .*?)` \\|").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 || len(rows) != 8 {
		t.Fatalf("%d examples and %d keys, want an appliance, a board, and 8", len(blocks), len(rows))
	}
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, name := range []string{"sensor", "controller"} {
		put(name+".toml", fmt.Sprintf("name = %q\n", name)+blocks[1][1])
	}
	for _, row := range append(rows, []string{"", `tap = "tap0"`}, []string{"", `bridge = "br0"`}) {
		gateway := blocks[0][1]
		if strings.HasPrefix(row[1], "tap") || strings.HasPrefix(row[1], "bridge") {
			gateway = strings.Replace(gateway, `address = ["10.0.0.254/24", "fd00::fe/64"]`, "", 1)
		}
		file := put("main.toml", "name = \"x\"\n"+gateway+row[1]+"\n[[board]]\nfile = \"sensor.toml\"\n[[board]]\nfile = \"controller.toml\"\n"+
			"[[segment]]\nname = \"lan\"\nports = [\"sensor.eth0\", \"controller.eth0\"]\n")
		if out, errs, status := run(t, nil, "check", file); status != 0 {
			t.Errorf("with %s: status %d\n%s%s", row[1], status, out, errs)
		}
	}
}

// TestGatewayInScenario plays with a gateway by the command line, on both clocks,
// and tries what is refused.
func TestGatewayInScenario(t *testing.T) {
	dir := t.TempDir()
	files := site(gatewayRoot(t), "")
	files["play.toml"] = `
appliance = "main.toml"
[[step]]
exec = { board = "sensor", command = ["udhcpc", "-i", "eth0", "-n", "-q", "-s", "/udhcpc.sh"], output = "bound to 10.0.0.1" }
expect = { event = "gateway", where = { part = "outside", action = "lease", name = "sensor", address = "10.0.0.1" } }
[[step]]
exec = { board = "sensor", command = ["nslookup", "control"], output = "10.0.0.2" }
expect = { event = "gateway", where = { action = "dns", name = "control", result = "10.0.0.2" } }
[[step]]
cut = "lan:outside"
[[step]]
exec = { board = "sensor", command = ["ping", "-c", "1", "-W", "1", "10.0.0.254"], status = 1 }
[[step]]
restore = "lan:outside"
[[step]]
exec = { board = "sensor", command = ["ping", "-c", "1", "10.0.0.254"] }
expect = { frames = "lan", from = "outside", match = "echo reply" }
`
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	play := filepath.Join(dir, "play.toml")
	for _, clock := range []string{"virtual", "real"} {
		if out, errs, status := run(t, nil, "run", "--clock", clock, "--out", filepath.Join(dir, clock), play); status != 0 || !strings.Contains(out, "PASSED") {
			t.Errorf("%s: status %d\n%s%s", clock, status, out, errs)
		}
	}
	// The same again, with nothing behind the gateway.
	if out, errs, status := run(t, nil, "replay", filepath.Join(dir, "virtual")); status != 0 || !strings.HasPrefix(out, "SAME: site, ") {
		t.Errorf("replay: status %d\n%s%s", status, out, errs)
	}
	if _, errs, status := run(t, nil, "run", "--verify", "2", play); status != 2 || !strings.Contains(errs, "paced = true") {
		t.Errorf("--verify: status %d\n%s", status, errs)
	}
	main := filepath.Join(dir, "main.toml")
	if err := os.WriteFile(main, []byte(strings.Replace(files["main.toml"], "paced = true\n", "", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := run(t, nil, "run", play); status != 2 || !strings.HasPrefix(errs, main+":10:3: a gateway leads to the world outside") {
		t.Errorf("without paced: status %d\n%s", status, errs)
	}
}

// TestNoDHCPServer boots a board that asks for its address where nobody answers.
func TestNoDHCPServer(t *testing.T) {
	files := site(guesttest.Rootfs(t), "")
	files["main.toml"] = "name = \"alone\"\n[[board]]\nfile = \"sensor.toml\"\n[[segment]]\nname = \"lan\"\nports = [\"sensor.eth0\"]\n"
	app := guesttest.Run(t, files, guesttest.Options{Seed: 1})
	if now := app.Now(); now < simbus.Time(7*time.Second) || now > simbus.Time(8*time.Second) {
		t.Errorf("the board came up at %s, want after 7 s of waiting", now)
	}
	for _, e := range app.Events() {
		if line, _ := e.Get("line"); line == "init: eth0: no DHCP server answers" {
			return
		}
	}
	t.Error("init does not say that it has no address")
}
