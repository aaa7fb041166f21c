package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus/ether"
	"backplane/tests/guesttest"
)

const network = "scenarios/network/network.toml"

// TestNetworkScenario plays the scenario of twelve boards, and finds what its
// ports counted among what was recorded.
func TestNetworkScenario(t *testing.T) {
	dir := t.TempDir()
	out, errs, status := run(t, nil, "run", network, "--out", dir)
	if status != 0 || !strings.Contains(out, "PASSED: network") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	b, err := os.ReadFile(filepath.Join(dir, "net.json"))
	if err != nil {
		t.Fatal(err)
	}
	var counts []appliance.PortCounts
	if err := json.Unmarshal(b, &counts); err != nil {
		t.Fatal(err)
	}
	if len(counts) != 13 || counts[0].Port != "hub.eth0" || counts[0].Rx["frames"] == 0 || counts[0].Link != "up" {
		t.Errorf("net.json has %d ports, first %+v", len(counts), counts[0])
	}
}

// TestVLANs has guests with the kernel's own 8021q on a trunk, and others that
// know nothing of VLANs on access ports.
func TestVLANs(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping", "/usr/sbin/ip")
	files := map[string]string{"main.toml": `
name = "vlans"
board = [{ file = "a.toml" }, { file = "b.toml" }, { file = "c.toml" }]
[[segment]]
name = "lan"
ports = ["a.eth0", "b.eth0", "c.eth0"]
port = [
  { name = "a.eth0", vlan = 0, trunk = [10, 20] },
  { name = "b.eth0", vlan = 10 },
  { name = "c.eth0", vlan = 20 },
]
`}
	for name, address := range map[string]string{"a": "", "b": "address = \"10.0.10.2/24\"\n", "c": "address = \"10.0.10.3/24\"\n"} {
		files[name+".toml"] = fmt.Sprintf("name = %q\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[ethernet]]\nname = \"eth0\"\n%s", name, root, address)
	}
	app := guesttest.Run(t, files, guesttest.Options{Seed: 1})
	app.Sh("a", `for v in 10 20; do
		/usr/sbin/ip link add link eth0 name eth0.$v type vlan id $v && /usr/sbin/ip link set eth0.$v up || exit 1
		done
		/usr/sbin/ip addr add 10.0.10.1/24 dev eth0.10
		/usr/sbin/ip addr add 10.0.20.1/24 dev eth0.20`)
	reaches := func(from, to string) bool {
		t.Helper()
		return app.StartCommand(from, "/usr/bin/ping", "-c", "1", "-W", "1", to).Wait().Status == 0
	}
	if !reaches("a", "10.0.10.2") || !reaches("b", "10.0.10.1") {
		t.Error("a trunk and an access port of one VLAN do not reach each other")
	}
	if reaches("a", "10.0.10.3") || reaches("b", "10.0.10.3") || reaches("c", "10.0.10.2") {
		t.Error("ports of different VLANs reach each other")
	}
	for _, e := range app.Events() {
		summary, _ := e.Get("summary")
		if from, _ := e.Get("from"); e.Kind == ether.KindFrame && strings.Contains(summary, "ICMP 10.0.") && (from == "a.eth0") != strings.HasPrefix(summary, "VLAN 10 ") {
			t.Errorf("from %s came %s", from, summary)
		}
	}
	app.MustSet("lan:c.eth0.vlan", "10")
	if !reaches("b", "10.0.10.3") {
		t.Error("a port that was moved to a VLAN is not reached there")
	}
	app.MustSet("lan:b.eth0.trunk", "20")
	app.MustSet("lan:b.eth0.vlan", "20")
	if got := app.MustGet("lan:b.eth0.trunk") + " " + app.MustGet("lan:b.eth0.vlan"); got != "20 20" {
		t.Errorf("trunk and vlan of b are %s", got)
	}
	if reaches("b", "10.0.10.3") {
		t.Error("a port that has left a VLAN reaches it")
	}
}

// TestCarrier takes cables down from the board's side, from the switch's, and
// all at once: only the boards that it is about see it.
func TestCarrier(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping")
	app := guesttest.Run(t, pair(root, ""), guesttest.Options{Seed: 1})
	app.Do("b1", "/usr/bin/ping", "-c", "1", "10.0.0.2")
	carriers := func() string {
		app.Sleep(10 * time.Millisecond)
		return strings.TrimSpace(app.Sh("b1", "cat /sys/class/net/eth0/carrier")) + strings.TrimSpace(app.Sh("b2", "cat /sys/class/net/eth0/carrier"))
	}
	steps := []struct{ path, value, carriers, known string }{
		{"lan.link", "up", "11", "2"},
		{"lan:b1.eth0.link", "down", "01", "1"},
		{"lan.link", "down", "00", "0"},
		{"lan:b1.eth0.link", "up", "00", "0"},
		{"lan.link", "up", "11", ""},
		{"b2.eth0.link", "down", "10", ""},
		{"b2.eth0.link", "up", "11", ""},
	}
	for _, s := range steps {
		app.MustSet(s.path, s.value)
		if got := app.MustGet(s.path); got != s.value && s.carriers != "00" {
			t.Errorf("%s was set to %s and is %s", s.path, s.value, got)
		}
		if got := app.MustGet("lan.known"); s.known != "" && got != s.known {
			t.Errorf("after %s = %s the switch knows %s addresses, want %s", s.path, s.value, got, s.known)
		}
		if got := carriers(); got != s.carriers {
			t.Errorf("after %s = %s the carriers are %s, want %s", s.path, s.value, got, s.carriers)
		}
	}
	app.Sleep(2 * time.Second)
	app.Do("b1", "/usr/bin/ping", "-c", "1", "10.0.0.2")
	if err := app.PullPlug("b2"); err != nil {
		t.Fatal(err)
	}
	app.Sleep(10 * time.Millisecond)
	if got := app.MustGet("lan.known"); got != "1" {
		t.Errorf("the switch knows %s addresses with one board off, want 1", got)
	}
}

// TestNetSettings sets what can be set, reads it back, and has mistakes told.
func TestNetSettings(t *testing.T) {
	app := guesttest.Run(t, pair(guesttest.Rootfs(t), ""), guesttest.Options{Seed: 1})
	for _, s := range []struct{ path, value, back, mistake string }{
		{path: "lan.latency", value: "5ms", back: "5ms"},
		{path: "lan:b1.eth0.tx.latency", value: "", back: "2.5ms"}, // half of it
		{path: "lan.jitter", value: "100us", back: "100µs"},
		{path: "lan.bandwidth", value: "10M", back: "10M"},
		{path: "lan.bandwidth", value: "1500", back: "1500"},
		{path: "lan.bandwidth", value: "unlimited", back: "unlimited"},
		{path: "lan.bandwidth", value: "fast", mistake: "\"fast\" is not a rate in bits per second"},
		{path: "lan.burst", value: "16K", back: "16K"},
		{path: "lan.queue", value: "1000", back: "1000"},
		{path: "lan.loss", value: "0.25", back: "0.25"},
		{path: "lan.loss", value: "NaN", mistake: "finite number"},
		{path: "lan.duplicate", value: "1.5", mistake: "outside 0 to 1"},
		{path: "lan.los", value: "0", mistake: "did you mean \"loss\"?"},
		{path: "lan.addresses", value: "7", back: "7"},
		{path: "lan.addresses", value: "-7", mistake: "outside 0 to"},
		{path: "lan.ageing", value: "0s", back: "0s"},
		{path: "lan.known", value: "7", mistake: "is read-only"},
		{path: "lan.link", value: "sideways", mistake: "write up or down"},
		{path: "lan:b1.eth0.loss", value: "0.5", back: "0.5"},
		{path: "lan:b1.eth0.rx.loss", value: "0.125", back: "0.125"},
		{path: "lan:b1.eth0.loss", value: "", back: "tx 0.5, rx 0.125"},
		{path: "lan:b1.eth0.storm_limit", value: "10", back: "10"},
		{path: "lan:b1.eth0.storm_limit", value: "few", mistake: "is not a number"},
		{path: "lan:b1.eth0.storms", value: "1", mistake: "is read-only"},
		{path: "lan:b1.eth0.vlan", value: "", back: "1"},
		{path: "lan:b1.eth0.vlan", value: "4095", mistake: "0 to 4094"},
		{path: "lan:b1.eth0.trunk", value: "10,20", back: "10,20"},
		{path: "lan:b1.eth0.vlan", value: "0", back: "0"},
		{path: "lan:b1.eth0.trunk", value: "none", mistake: "vlan is 0"},
		{path: "lan:b1.eth0.trunk", value: "ten", mistake: "not a list of VLANs"},
		{path: "lan:b1.eth0.mirror", value: "b2.eth0", back: "b2.eth0"},
		{path: "lan:b1.eth0.mirror", value: "none", back: "none"},
		{path: "lan:b1.eth0.mirror", value: "b3.eth0", mistake: "the segment has no port \"b3.eth0\""},
		{path: "lan:b1.eth0.mirror", value: "b2.eth0,b1.eth0", mistake: "cannot mirror itself"},
		{path: "lan.latency", value: "2562047h", mistake: "at most 10h"},
		{path: "lan:b1.eth0.rx.jitter", value: "11h", mistake: "at most 10h"},
		{path: "lan:b1.eth0.tx.frames", value: "0", mistake: "is read-only"},
		{path: "lan:b1.eth0.tx.frams", value: "0", mistake: "did you mean \"frames\"?"},
		{path: "lan:b3.eth0.loss", value: "0", mistake: "lan:b3.eth0.loss: segment lan: there is no port"},
		{path: "man:b1.eth0.loss", value: "0", mistake: "there is no segment \"man\": did you mean \"lan\"?"},
		{path: "lan:b1.eth0.color", value: "0", mistake: "there is no property \"color\""},
	} {
		var err error
		if s.value != "" {
			err = app.Set(s.path, s.value)
		}
		if text := fmt.Sprint(err); s.mistake != "" && !strings.Contains(text, s.mistake) || s.mistake == "" && err != nil {
			t.Errorf("set %s to %s: %s, want %q", s.path, s.value, text, s.mistake)
		}
		if s.back != "" && app.MustGet(s.path) != s.back {
			t.Errorf("%s is %s, want %s", s.path, app.MustGet(s.path), s.back)
		}
	}
}

// TestChangesUnderTraffic changes a network in real time while TCP runs over it,
// from the direct way to impairments and back.
func TestChangesUnderTraffic(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping", "iperf3")
	app := guesttest.Run(t, pair(root, ""), guesttest.Options{Real: true})
	average := func() float64 {
		t.Helper()
		out := app.Do("b1", "/usr/bin/ping", "-q", "-c", "5", "-i", "0.05", "10.0.0.2")
		var lowest float64
		m := regexp.MustCompile(`= ([0-9.]+)/`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("ping prints\n%s", out)
		}
		fmt.Sscan(m[1], &lowest)
		return lowest
	}
	app.MustSet("lan.latency", "20ms")
	if ms := average(); ms < 40 {
		t.Errorf("a round trip takes %g ms with 20 ms each way", ms)
	}
	app.MustSet("lan.latency", "0s")
	if ms := average(); ms > 39 {
		t.Errorf("a round trip takes %g ms without any latency", ms)
	}

	// What arrives is what was sent, whatever is done to the frames.
	const size = 8 << 20
	app.Sh("b1", fmt.Sprintf("head -c %d /dev/urandom > /tmp/data", size))
	want := app.Sh("b1", "md5sum < /tmp/data")
	receive := app.StartCommand("b2", "/bin/sh", "-c", "/bin/busybox mkfifo /tmp/in; nc -l -p 7 <>/tmp/in | md5sum") // an input that does not end
	app.Sleep(300 * time.Millisecond)
	send := app.StartCommand("b1", "/bin/sh", "-c", "nc 10.0.0.2 7 < /tmp/data")
	for _, setting := range [][2]string{
		{"lan.corrupt", "0.02"}, {"lan.corrupt", "0"}, {"lan.reorder", "0.1"}, {"lan.loss", "0.02"}, {"lan.reorder", "0"},
		{"lan:b1.eth0.duplicate", "0.2"}, {"lan.loss", "0"}, {"lan:b1.eth0.duplicate", "0"},
	} {
		app.MustSet(setting[0], setting[1])
		app.Sleep(20 * time.Millisecond)
	}
	send.Wait()
	if got := receive.Wait().Stdout; got != want {
		t.Errorf("what arrived has the sum %q, want %q", got, want)
	}
	app.MustSet("lan.bandwidth", "20M")
	if r := iperf(t, app, nil, "-t", "2"); r.End.SumReceived.BitsPerSecond > 22e6 || r.End.SumReceived.BitsPerSecond < 10e6 {
		t.Errorf("%g bits a second pass with a bandwidth of 20M", r.End.SumReceived.BitsPerSecond)
	}
}
