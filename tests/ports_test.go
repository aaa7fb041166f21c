package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph/catalog"
	"backplane/scenarios"
	"backplane/simbus"
	"backplane/tests/guesttest"

	"github.com/gopacket/gopacket/pcapgo"
)

// TestPortsHaveTheirNames brings up ports whose names are not in the kernel's order,
// each with several addresses.
func TestPortsHaveTheirNames(t *testing.T) {
	root := guesttest.Rootfs(t, "ip")
	app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(`
name = "router"
memory = "96M"
[firmware]
rootfs = [%q]
[[ethernet]]
name = "eth1"
address = ["192.168.1.1/24", "192.168.1.7/24", "fd00:1::1/64"]
[[ethernet]]
name = "eth0"
address = "10.9.9.1/24"
gateway = "10.9.9.254"
[[ethernet]]
name = "wan"
mac = "02:00:00:00:00:77"
address = ["fd00:2::1/64"]
gateway = "fd00:2::fe"
`, root)}, guesttest.Options{Seed: 1})
	got := app.Sh("router", "ip addr; ip route; ip -6 route; cat /sys/class/net/wan/address")
	for _, want := range []string{"192.168.1.1/24", "192.168.1.7/24", "fd00:1::1/64", "10.9.9.1/24", "fd00:2::1/64", "default via 10.9.9.254 dev eth0",
		"default via fd00:2::fe dev wan", "02:00:00:00:00:77"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	for _, e := range app.Events() {
		if state, _ := e.Get("state"); state == appliance.StateIncomplete {
			t.Errorf("%s", e.AppendJSON(nil))
		}
	}
}

// TestIncompleteBoardFails starts boards that init cannot make what their files say.
func TestIncompleteBoardFails(t *testing.T) {
	for name, c := range map[string]struct{ board, want string }{
		"address":  {"[firmware]\nargs = \"ipv6.disable=1\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"fd00::1/64\"\n", "eth0: address fd00::1/64: "},
		"program":  {"[firmware]\nrootfs = [\"root\"]\ninit = \"/proc/bad\"\n", "/proc/bad: "},
		"handover": {"[firmware]\nrootfs = [\"root\"]\ninit = \"/proc/bad\"\nhandover = true\n", "/proc/bad: "},
		"format":   {"[firmware]\nrootfs = [\"root\"]\ninit = \"/bad\"\nhandover = true\n", "/bad: exec format error"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := os.MkdirAll(filepath.Join(dir, "root/proc"), 0o755)
			for name, text := range map[string]string{
				"b.toml":        "name = \"b\"\nmemory = \"64M\"\n" + c.board,
				"root/proc/bad": "in the root, and hidden by what is mounted there",
				"root/bad":      "neither a program nor a script",
			} {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := boards.Load(filepath.Join(dir, "b.toml"), catalog.All)
			if err != nil {
				t.Fatal(err)
			}
			var rec scenarios.Recorder
			app := guesttest.StartAppliance(t, a, guesttest.Options{Seed: 1, Events: []func(*simbus.Event){rec.Event}})
			report := scenarios.Run(context.Background(), app.Running, &scenarios.Scenario{Name: "s"}, scenarios.Options{Recorder: &rec})
			if report.Passed() || report.Steps[0].Failure == nil || !strings.Contains(report.Steps[0].Failure.What, "board b is incomplete: ") ||
				!strings.Contains(report.Steps[0].Failure.What, c.want) {
				t.Errorf("%s: %+v", report.Result, report.Steps[0].Failure)
			}
		})
	}
}

// TestInstancesOfABoard runs two boards of one file that differ in what the appliance
// says, and speak IPv6 to each other.
func TestInstancesOfABoard(t *testing.T) {
	root := guesttest.Rootfs(t, "ip", "/usr/bin/ping")
	app := guesttest.Run(t, map[string]string{
		"b.toml": fmt.Sprintf(`
name = "b"
memory = "96M"
[firmware]
rootfs = [%q]
init = "/bin/sh"
init_args = ["-c", "echo first; sleep 1000"]
[[ethernet]]
name = "eth0"
address = "fd00::1/64"
`, root),
		"layer/etc/motd": "the second\n",
		"main.toml": `
name = "twins"
[[board]]
name = "one"
file = "b.toml"
[[board]]
name = "two"
file = "b.toml"
init_args = ["-c", "cat /etc/motd; sleep 1000"]
rootfs = ["layer"]
[[board.ethernet]]
name = "eth0"
mac = "02:00:00:00:00:02"
address = ["fd00::2/64", "10.0.0.2/24"]
[[segment]]
name = "lan"
ports = ["one.eth0", "two.eth0"]
`}, guesttest.Options{Seed: 1})
	if got := app.Do("one", "/usr/bin/ping", "-c", "2", "fd00::2"); !strings.Contains(got, "2 received") {
		t.Errorf("ping from one to two:\n%s", got)
	}
	if got := app.Sh("two", "ip addr show eth0"); !strings.Contains(got, "02:00:00:00:00:02") || !strings.Contains(got, "10.0.0.2/24") || strings.Contains(got, "fd00::1/64") {
		t.Errorf("two has\n%s", got)
	}
	lines := make(map[string]bool)
	for _, e := range app.Events() {
		if line, ok := e.Get("line"); ok {
			lines[e.Board+": "+line] = true
		}
	}
	if !lines["one: first"] || !lines["two: the second"] || lines["two: first"] {
		t.Errorf("the consoles have %v", lines)
	}
}

// TestNeighbourGroups sends what is for the neighbour on a cable, and a frame of 14
// bytes. A switch keeps the first from others; the last is padded.
func TestNeighbourGroups(t *testing.T) {
	root := guesttest.Rootfs(t)
	if out, err := exec.Command("gcc", "-static", "-Wall", "-Werror", "-o", filepath.Join(root, "bin/neighbour"), "programs/neighbour/neighbour.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	for setting, want := range map[string]string{"": "ffffffffffff 60", "cable = true": "0180c2000000 60, 0180c2000002 60, 0180c200000e 60, ffffffffffff 60"} {
		t.Run(setting, func(t *testing.T) {
			o := guesttest.Options{Seed: 1, Out: t.TempDir()}
			app := guesttest.Run(t, pair(root, setting+"\n[[capture]]\nname = 'heard'\nat = ['lan:b2.eth0']\n"), o)
			app.Sh("b2", "ifconfig eth0 promisc")
			app.Do("b1", "/bin/neighbour")
			app.Sleep(100 * time.Millisecond)
			if err := app.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(filepath.Join(o.Out, "heard.pcapng"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				b, _, err := r.ReadPacketData()
				if err != nil {
					break
				}
				if b[12] == 0x88 && b[13] == 0xb5 {
					got = append(got, fmt.Sprintf("%x %d", b[:6], len(b)))
				}
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("b2 hears %q, want %s", got, want)
			}
		})
	}
}

// TestSpeedAndCarrier reads what the kernel knows of the cables.
func TestSpeedAndCarrier(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		files := pair(guesttest.Rootfs(t), "[[segment]]\nname = \"slow\"\nports = [\"b1.eth1\"]\nbandwidth = \"100M\"\n")
		files["b1.toml"] += "[[ethernet]]\nname = \"eth1\"\n[[ethernet]]\nname = \"eth2\"\n"
		app := guesttest.Run(t, files, o)
		for port, want := range map[string]string{"eth0": "1 1000 full", "eth1": "1 100 full", "eth2": "0 -1 unknown"} {
			got := app.Sh("b1", fmt.Sprintf("cd /sys/class/net/%s; echo $(cat carrier speed duplex)", port))
			if strings.TrimSpace(got) != want {
				t.Errorf("%s has carrier, speed and duplex %q, want %s", port, got, want)
			}
		}
	})
}
