package tests

import (
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
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

	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/simbus/ether"
	"backplane/simbus/gateway"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// site6 is two boards, one with IPv6 alone of what a router advertises and one with addresses
// of both kinds, and a gateway.
func site6(root, gateway string) map[string]string {
	files := site(root, gateway)
	files["sensor.toml"] = strings.Replace(files["sensor.toml"], `"dhcp"`, `"slaac"`, 1)
	files["control.toml"] = strings.Replace(files["control.toml"], `address = "10.0.0.2/24"`, `address = ["10.0.0.2/24", "fd00::2/64"]`, 1)
	files["main.toml"] = strings.Replace(files["main.toml"], `"10.0.0.254/24"`, `["10.0.0.254/24", "fd00::fe/64"]`, 1)
	return files
}

// sensor6 is the address that the sensor makes itself.
const sensor6 = "fd00::42:50ff:fe00:0"

// much is more than one segment can carry, however long.
var much = func() []byte {
	b := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

// digests is a server on the host's ::1 that answers with the digest of all that it is sent.
func digests(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				h := md5.New()
				if _, err := io.Copy(h, c); err == nil {
					fmt.Fprintf(c, "%x", h.Sum(nil))
				}
			}()
		}
	}()
	return l.Addr()
}

// server6 is a web server, which has much too, and a UDP server that answers in capitals, on
// one port of the host's ::1. The test is skipped where there is none.
func server6(t *testing.T) (port uint16) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/much" {
			_, _ = w.Write(much)
			return
		}
		fmt.Fprintf(w, "hello %s\n", r.URL.Path)
	})}}
	web.Start()
	t.Cleanup(web.Close)
	c, err := net.ListenPacket("udp6", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte(strings.ToUpper(string(buf[:n]))), from)
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

// TestGatewayIPv6 takes boards through a gateway by IPv6: an address of the board's own
// making, names, servers on the host, and a server on a board.
func TestGatewayIPv6(t *testing.T) {
	t.Parallel()
	port := server6(t)
	clocks(t, func(t *testing.T, o guesttest.Options) {
		l, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		host := l.Addr().String() // which is free soon
		l.Close()
		app := guesttest.Run(t, site6(gatewayRoot(t, guesttest.Program(t, "backplane/tests/programs/ask")), fmt.Sprintf(`
host_access = true
forward = [{ host = %q, to = "sensor:7" }]
`, host)), o)

		got := app.Sh("sensor", "ip -o addr show eth0; ip -6 route; cat /etc/resolv.conf")
		for _, part := range []string{sensor6 + "/64 scope global dynamic", "default via fe80::42:50ff:feff:0 dev eth0", "fd00::/64 dev eth0", "search site\nnameserver fd00::fe"} {
			if !strings.Contains(got, part) {
				t.Errorf("there is no %q in\n%s", part, got)
			}
		}
		if strings.Contains(got, "inet 10.") || strings.Contains(got, "tentative") {
			t.Errorf("the sensor has an IPv4 address, or one that is tentative:\n%s", got)
		}
		if list := strings.Join(actions(app, gateway.ActionAdvertise), "\n"); !strings.Contains(list, "02:42:50:00:00:00") {
			t.Errorf("the gateway has answered to\n%s", list)
		}
		for name, address := range map[string]string{"control": "fd00::2", "sensor.site": sensor6, "outside": "fd00::fe"} {
			if got := app.Sh("control", "nslookup -type=aaaa "+name+" 10.0.0.254"); !strings.Contains(got, "Address: "+address) {
				t.Errorf("nslookup %s says\n%s", name, got)
			}
		}
		app.Sh("sensor", "ping6 -c 1 outside; ping6 -c 1 fe80::42:50ff:feff:0%eth0; ping6 -c 1 control.site")
		if got := app.Sh("sensor", fmt.Sprintf("wget -q -O - http://outside:%d/from/sensor", port)); got != "hello /from/sensor\n" {
			t.Errorf("wget prints %q", got)
		}
		if e := action(app, gateway.ActionOpen); !strings.Contains(string(e.AppendJSON(nil)), fmt.Sprintf(`"to":"[fd00::fe]:%d"`, port)) {
			t.Errorf("the gateway opened %s", e.AppendJSON(nil))
		}
		if got := app.Do("sensor", "ask", fmt.Sprintf("[fd00::fe]:%d", port), "from the sensor"); got != "FROM THE SENSOR\n" {
			t.Errorf("the UDP server's answer is %q", got)
		}
		// Much, both ways, so that the offloads count.
		want := fmt.Sprintf("%x  /tmp/much\n%[1]x", md5.Sum(much))
		if got := app.Sh("sensor", fmt.Sprintf("wget -q -O /tmp/much http://[fd00::fe]:%d/much; md5sum /tmp/much; nc fd00::fe %d < /tmp/much", port,
			digests(t).(*net.TCPAddr).Port)); got != want {
			t.Errorf("the digests on the board and on the host are\n%s\nwant\n%s", got, want)
		}

		server := app.StartCommand("sensor", "/bin/sh", "-c", "echo from the board | nc -l -p 7")
		listens(app, "sensor")
		answer := make(chan string)
		go func() {
			c, err := net.Dial("tcp", host)
			if err != nil {
				answer <- err.Error()
				return
			}
			defer c.Close()
			fmt.Fprintln(c, "from the host")
			_ = c.(*net.TCPConn).CloseWrite()
			b, err := io.ReadAll(c)
			answer <- fmt.Sprint(string(b), err)
		}()
		if e := action(app, gateway.ActionForward); !strings.Contains(string(e.AppendJSON(nil)), `"to":"[`+sensor6+`]:7"`) {
			t.Errorf("the gateway forwards %s", e.AppendJSON(nil))
		}
		if r := server.Wait(); r.Stdout != "from the host\n" {
			t.Errorf("the board's server got %+v", r)
		}
		if s := <-answer; s != "from the board\n<nil>" {
			t.Errorf("the host's client got %q", s)
		}

		// A board that loses its power makes the same address again.
		if err := app.PullPlug("sensor"); err != nil {
			t.Fatal(err)
		}
		if err := app.PowerOn("sensor"); err != nil {
			t.Fatal(err)
		}
		app.Until(20*time.Second, "the sensor's return", func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			return e.Kind == appliance.KindGuest && e.Board == "sensor" && state == appliance.StateUp
		})
		if got := app.Sh("sensor", fmt.Sprintf("ip -o -6 addr show eth0; wget -q -O - http://outside:%d/again", port)); !strings.Contains(got, sensor6+"/64") || !strings.HasSuffix(got, "hello /again\n") {
			t.Errorf("after a loss of power:\n%s", got)
		}
	})
}

// TestGatewayIPv6IsShut tries what a gateway does not let through unless it is asked to.
func TestGatewayIPv6IsShut(t *testing.T) {
	port := server6(t)
	root := gatewayRoot(t, guesttest.Program(t, "backplane/tests/programs/ask"))
	app := guesttest.Run(t, site6(root, `allow = ["[2001:db8::/32]:80", "192.0.2.0/24"]`), guesttest.Options{Real: true})
	for _, to := range []string{fmt.Sprint("fd00::fe ", port), "2001:db9::1 80", "2001:db8::1 81"} {
		if r := app.StartCommand("sensor", "/bin/sh", "-c", "nc "+to+" < /dev/null").Wait(); r.Status == 0 || !strings.Contains(r.Stderr, "refused") {
			t.Errorf("nc %s ended with %+v, want a connection refused", to, r)
		}
	}
	if r := app.StartCommand("sensor", "ask", "[2001:db9::1]:7", "x").Wait(); r.Status == 0 || !strings.Contains(r.Stderr, "refused") {
		t.Errorf("a UDP flow ended with %+v, want a refusal", r)
	}
	if r := app.StartCommand("sensor", "ping6", "-c", "1", "-W", "1", "2001:db8::1").Wait(); r.Status == 0 {
		t.Errorf("a ping got through:\n%s", r.Stdout)
	}
	if list := actions(app, gateway.ActionRefused); len(list) != 5 {
		t.Errorf("five were refused, and the events are %q", list)
	}
}

// TestNoRouter boots a board that waits for an address where no router is.
func TestNoRouter(t *testing.T) {
	files := site6(guesttest.Rootfs(t), "")
	files["main.toml"] = "name = \"alone\"\n[[board]]\nfile = \"sensor.toml\"\n[[segment]]\nname = \"lan\"\nports = [\"sensor.eth0\"]\n"
	app := guesttest.Run(t, files, guesttest.Options{Seed: 1})
	if now := app.Now(); now < simbus.Time(12*time.Second) || now > simbus.Time(13*time.Second) {
		t.Errorf("the board came up at %s, want after 12 s of waiting", now)
	}
	for _, e := range app.Events() {
		if line, _ := e.Get("line"); line == "init: eth0: no router advertises an address" {
			return
		}
	}
	t.Error("init does not say that it has no address")
}

// TestGatewayIPv6InScenario records a run with a gateway whose cable is pulled, and repeats
// it with nothing behind the gateway.
func TestGatewayIPv6InScenario(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := site6(gatewayRoot(t), "")
	files["play.toml"] = `
appliance = "main.toml"
[[step]]
exec = { board = "sensor", command = ["/bin/sh", "-c", "ip link set eth0 down; ip link set eth0 up"] }
expect = { event = "gateway", where = { part = "outside", action = "advertise", mac = "02:42:50:00:00:00" } }
[[step]]
exec = { board = "sensor", command = ["/bin/sh", "-c", "sleep 3; ping6 -c 1 outside"] }
expect = { event = "gateway", where = { action = "dns", name = "outside", type = "AAAA", result = "fd00::fe" } }
[[step]]
cut = "lan:outside"
[[step]]
exec = { board = "sensor", command = ["ping6", "-c", "1", "-W", "1", "fd00::fe"], status = 1 }
[[step]]
restore = "lan:outside"
[[step]]
exec = { board = "sensor", command = ["ping6", "-c", "1", "fd00::fe"] }
expect = { frames = "lan", from = "outside", match = "echo reply" }
`
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out")
	if text, errs, status := run(t, nil, "run", "--out", out, filepath.Join(dir, "play.toml")); status != 0 || !strings.Contains(text, "PASSED") {
		t.Fatalf("status %d\n%s%s", status, text, errs)
	}
	if text, errs, status := run(t, nil, "replay", out); status != 0 || !strings.HasPrefix(text, "SAME: site, ") {
		t.Errorf("replay: status %d\n%s%s", status, text, errs)
	}
}

// TestOutsideIPv6 reaches a machine that is neither a board nor this host, by IPv6: a
// namespace behind a cable. Without a route there the board is told so.
func TestOutsideIPv6(t *testing.T) {
	t.Parallel()
	if !namespace(t, unix.CLONE_NEWUSER|unix.CLONE_NEWNET) {
		return
	}
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	far := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-ec", "echo; exec sleep 600")
	ready, err := far.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Process.Kill(); _ = far.Wait() }()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	web := t.TempDir()
	in := fmt.Sprintf("nsenter -t %d -n ", far.Process.Pid)
	host(t, fmt.Sprintf("ip link set lo up; ip link add near type veth peer name far netns %d; ip addr add 2001:db8::2/64 dev near nodad; ip link set near up;"+
		"%[2]s ip addr add 2001:db8::1/64 dev far nodad; %[2]s ip link set far up; echo 0 0 > /proc/sys/net/ipv4/ping_group_range; echo far away > %[3]s/index.html;"+
		"%[2]s busybox httpd -p [::]:80 -h %[3]s", far.Process.Pid, in, web))
	defer host(t, fmt.Sprintf("for p in $(%s busybox pidof busybox); do case $(tr '\\0' ' ' < /proc/$p/cmdline) in *%s*) kill $p;; esac; done", in, web))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, site6(gatewayRoot(t, guesttest.Program(t, "backplane/tests/programs/ask")), ""), o)
		told := func(news string) {
			t.Helper()
			app.Until(10*time.Second, "the news that "+news, func(e *simbus.Event) bool {
				from, _ := e.Get("from")
				text, _ := e.Get("summary")
				return e.Kind == ether.KindFrame && from == "outside" && strings.Contains(text, "unreachable")
			})
		}
		if got := app.Sh("sensor", "wget -q -O - http://[2001:db8::1]/"); got != "far away\n" {
			t.Errorf("wget prints %q", got)
		}
		if got := app.Sh("sensor", "ping6 -c 2 2001:db8::1"); !strings.Contains(got, "2 packets received") {
			t.Errorf("ping prints\n%s", got)
		}
		// This host is on that network, too, and is not to be reached.
		if r := app.StartCommand("sensor", "ping6", "-c", "1", "-W", "1", "2001:db8::2").Wait(); r.Status == 0 {
			t.Errorf("the host answered:\n%s", r.Stdout)
		}
		told("the host is not to be pinged")
		// There is no way to this network.
		if r := app.StartCommand("sensor", "/bin/sh", "-c", "nc 2001:db9::1 80 < /dev/null").Wait(); r.Status == 0 || !strings.Contains(r.Stderr, "refused") {
			t.Errorf("nc to nowhere ended with %+v, want a connection refused", r)
		}
		app.StartCommand("sensor", "ask", "[2001:db9::1]:7", "x") // which is told, and Linux goes on waiting
		told("there is no way")
		if list := regexp.MustCompile(`"detail":"[^"]*"`).FindAllString(strings.Join(actions(app, gateway.ActionRefused), ""), -1); len(list) != 3 ||
			!strings.Contains(list[1], "network is unreachable") || list[2] != list[1] {
			t.Errorf("refusals are %q", list)
		}
	})
}

// TestTwoRouters has two gateways on a segment: the board takes both for routers, and
// makes itself an address on the network of each.
func TestTwoRouters(t *testing.T) {
	files := site6(gatewayRoot(t), "[[gateway]]\nname = \"second\"\nsegment = \"lan\"\naddress = \"fd01::fe/64\"\n")
	app := guesttest.Run(t, files, guesttest.Options{Real: true})
	// Init waits for one of them. An address that can be used has no flags.
	app.Sh("sensor", "until grep -q '^fd00.* 40 00 00 ' /proc/net/if_inet6 && grep -q '^fd01.* 40 00 00 ' /proc/net/if_inet6; do sleep 0.1; done")
	got := app.Sh("sensor", "ip -o -6 addr show eth0; ip -6 route; ping6 -c 1 fd00::fe; ping6 -c 1 fd01::fe")
	for _, part := range []string{"fd00::42:50ff:fe00:0/64", "fd01::42:50ff:fe00:0/64", "via fe80::42:50ff:feff:0 dev eth0", "via fe80::42:50ff:feff:1 dev eth0"} {
		if !strings.Contains(got, part) {
			t.Errorf("there is no %q in\n%s", part, got)
		}
	}
}
