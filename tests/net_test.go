package tests

import (
	"fmt"

	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"backplane/simbus/ether"
	"backplane/tests/guesttest"
)

// pair is two boards on a segment.
func pair(root, segment string) map[string]string {
	board := func(n int) string {
		return fmt.Sprintf("name = \"b%d\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.%d/24\"\n", n, root, n)
	}
	return map[string]string{"b1.toml": board(1), "b2.toml": board(2), "main.toml": `
name = "pair"
[[board]]
file = "b1.toml"
[[board]]
file = "b2.toml"
[[segment]]
name = "lan"
ports = ["b1.eth0", "b2.eth0"]
` + segment}
}

func TestPingTakesTheLatency(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping")
	app := guesttest.Run(t, pair(root, "latency = \"2500us\"\n"), guesttest.Options{Seed: 1})
	out := app.Do("b1", "/usr/bin/ping", "-c", "3", "10.0.0.2")
	if n := len(regexp.MustCompile(`time=5\.0[0-9] ms`).FindAllString(out, -1)); n < 2 {
		t.Errorf("round trips through 2.5 ms each way:\n%s", out)
	}
}

func TestIperf(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		o.Out = t.TempDir()
		root := guesttest.Rootfs(t, "iperf3")
		app := guesttest.Run(t, pair(root, ""), o)
		server := app.StartCommand("b2", "iperf3", "-s", "-1")
		app.Sleep(300 * time.Millisecond)
		out := app.Do("b1", "iperf3", "-c", "10.0.0.2", "-n", "4M")
		if !strings.Contains(out, "4.00 MBytes") || !strings.Contains(out, "receiver") {
			t.Errorf("iperf3 prints\n%s", out)
		}
		if r := server.Wait(); r.Status != 0 {
			t.Errorf("the server ended with %+v", r)
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		frames := 0 // all of them: in real time some come until the end
		for _, e := range app.Events() {
			if e.Kind == ether.KindFrame {
				frames++
			}
		}
		dump, err := exec.Command("tcpdump", "-n", "-r", filepath.Join(o.Out, "lan.pcapng")).Output()
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(dump), "\n"); n != frames || n == 0 {
			t.Errorf("tcpdump reads %d frames from the capture, and there were %d events", n, frames)
		}
	})
}

// TestCutIsSeen cuts a segment: the guests lose their carrier, and what they send.
func TestCutIsSeen(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping")
	app := guesttest.Run(t, pair(root, ""), guesttest.Options{Seed: 1})
	app.Do("b1", "/usr/bin/ping", "-c", "1", "10.0.0.2")
	if err := app.Cut("lan"); err != nil {
		t.Fatal(err)
	}
	app.Sleep(time.Second)
	if got := app.Sh("b1", "cat /sys/class/net/eth0/carrier"); got != "0\n" {
		t.Errorf("carrier of a cut link is %q, want 0", got)
	}
	if r := app.StartCommand("b1", "/usr/bin/ping", "-c", "1", "-W", "1", "10.0.0.2").Wait(); r.Status == 0 {
		t.Errorf("a ping went through a cut segment:\n%s", r.Stdout)
	}
	if err := app.Restore("lan"); err != nil {
		t.Fatal(err)
	}
	app.Sleep(3 * time.Second)
	app.Do("b1", "/usr/bin/ping", "-c", "1", "10.0.0.2")
}

// TestSerialLinkAndConsole sends through a UART link at its rate.
func TestSerialLinkAndConsole(t *testing.T) {
	root := guesttest.Rootfs(t)
	board := fmt.Sprintf("[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nbaud = 9600\n", root)
	app := guesttest.Run(t, map[string]string{"a.toml": "name = \"a\"\n" + board, "b.toml": "name = \"b\"\n" + board, "main.toml": `
name = "serial"
[[board]]
file = "a.toml"
[[board]]
file = "b.toml"
[[serial]]
name = "link"
ports = ["a.uart1", "b.uart1"]
`}, guesttest.Options{Seed: 1})
	app.Sh("b", "stty -F /dev/ttyS1 raw -echo")
	read := app.StartCommand("b", "/bin/sh", "-c", "head -c 96 /dev/ttyS1")
	app.Sleep(100 * time.Millisecond)
	begin := app.Now()
	app.Sh("a", "stty -F /dev/ttyS1 raw -echo; printf '%096d' 7 > /dev/ttyS1")
	if got := read.Wait().Stdout; got != fmt.Sprintf("%096d", 7) {
		t.Errorf("b read %q", got)
	}
	if d := app.Now().Sub(begin); d < 100*time.Millisecond { // 96 characters of 10 bits at 9600 baud
		t.Errorf("96 characters at 9600 baud took %s, want 100 ms", d)
	}
	if err := app.Send("a.console", []byte("echo he''llo\n")); err != nil {
		t.Fatal(err)
	}
	app.Console("a", "^hello$", 10*time.Second)
}
