package tests

import (
	"strconv"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestNICFilters: frames for somebody else, which a switch floods while it does
// not know where that is, reach a guest only while it is promiscuous; and a guest
// that gives its port another address is reached at that.
func TestNICFilters(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, pair(guesttest.Rootfs(t, "/usr/bin/ping", "/usr/sbin/ip"), ""), o)
		app.Do("b1", "/usr/bin/ping", "-c", "1", "10.0.0.2")
		app.Sh("b1", "/usr/sbin/ip neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev eth0")
		flood := func() int {
			before := counter(t, app, "b2", "rx_packets")
			app.Sh("b1", "ping -q -c 3 -W 1 10.0.0.99 || true")
			app.Do("b1", "/usr/bin/ping", "-c", "1", "10.0.0.2") // behind them
			return counter(t, app, "b2", "rx_packets") - before
		}
		// What is not the flood: that ping, and what address resolution needs.
		quiet := flood()
		app.Sh("b2", "ip link set eth0 promisc on")
		if loud := flood(); loud < quiet+3 || quiet > 5 {
			t.Errorf("%d frames came to a port that is not promiscuous, %d to one that is, of 3 for somebody else", quiet, loud)
		}
		app.Sh("b2", "ip link set eth0 promisc off; ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:77; ip link set eth0 up")
		app.Sh("b1", "/usr/sbin/ip neigh flush dev eth0")
		app.Do("b1", "/usr/bin/ping", "-c", "2", "10.0.0.2")
		if got := app.Sh("b1", "/usr/sbin/ip neigh show 10.0.0.2"); !strings.Contains(got, "02:00:00:00:00:77") {
			t.Errorf("10.0.0.2 is found at %q, want its new address", got)
		}
	})
}

// TestSeveralCPUs: a board with several CPUs has them in real time, and carries
// traffic with one that has a single CPU, whose kernel is another.
func TestSeveralCPUs(t *testing.T) {
	files := pair(guesttest.Rootfs(t, "iperf3"), "")
	files["b2.toml"] = "cpus = 2\n" + files["b2.toml"]
	app := guesttest.Run(t, files, guesttest.Options{Real: true})
	for board, want := range map[string]string{"b1": "processor\t: 0", "b2": "processor\t: 0\nprocessor\t: 1"} {
		if got := strings.TrimSpace(app.Sh(board, "grep ^processor /proc/cpuinfo")); got != want {
			t.Errorf("%s has CPUs %q, want %q", board, got, want)
		}
	}
	app.Sh("b2", "iperf3 -s -1 -D") // it is listening when this returns
	if out := app.Do("b1", "iperf3", "-c", "10.0.0.2", "-P", "2", "-n", "8M"); !strings.Contains(out, "receiver") {
		t.Errorf("iperf3 prints\n%s", out)
	}
}

func counter(t *testing.T, app *guesttest.App, board, name string) int {
	t.Helper()
	text := app.Sh(board, "cat /sys/class/net/eth0/statistics/"+name)
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
