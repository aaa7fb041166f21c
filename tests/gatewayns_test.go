package tests

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/simbus/gateway"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// namespace runs the calling test once more in namespaces of its own, where it
// is root without being it here, and tells whether this is that run.
func namespace(t *testing.T, flags uintptr) (inside bool) {
	t.Helper()
	const mark = "BACKPLANE_TEST_NAMESPACE"
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip(string(out))
	case !strings.Contains(string(out), "--- PASS"):
		t.Fatalf("it ran no test:\n%s", out)
	}
	return false
}

// host runs a line of shell on this side.
func host(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-ec", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

func tapSite(root, kind string) map[string]string {
	files := site(root, "")
	delete(files, "sensor.toml")
	files["main.toml"] = `
name = "site"
paced = true
[[board]]
file = "control.toml"
[[segment]]
name = "lan"
ports = ["control.eth0"]
[[gateway]]
name = "outside"
segment = "lan"
` + kind
	return files
}

// TestTap has the host's kernel as the gateway, with a tap interface that
// Backplane makes and with one on a bridge.
func TestTap(t *testing.T) {
	t.Parallel()
	if !namespace(t, unix.CLONE_NEWUSER|unix.CLONE_NEWNET) {
		return
	}
	if err := gateway.CanTap(); err != nil {
		t.Skip(err)
	}
	root := gatewayRoot(t)
	host(t, "ip link set lo up; ip link add br0 type bridge; ip link set br0 up")
	for _, tt := range []struct{ kind, name string }{{"tap = \"tap0\"", "tap0"}, {"bridge = \"br0\"", "br0"}} {
		t.Run(tt.name, func(t *testing.T) {
			clocks(t, func(t *testing.T, o guesttest.Options) {
				app := guesttest.Run(t, tapSite(root, tt.kind), o)
				host(t, "ip addr replace 10.0.0.254/24 dev "+tt.name)
				app.Sh("control", "ping -c 2 10.0.0.254")
				// Much, both ways, so that the offloads count.
				data := make([]byte, 4<<20)
				_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
				sum := fmt.Sprintf("%x  -\n", md5.Sum(data))
				l, err := net.Listen("tcp", "10.0.0.254:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				back := make(chan string, 1)
				go func() {
					for _, step := range []func(net.Conn) error{
						func(c net.Conn) error { _, err := c.Write(data); return err },
						func(c net.Conn) error {
							got, err := io.ReadAll(c)
							back <- fmt.Sprint(bytes.Equal(got, data), " ", err)
							return err
						},
					} {
						c, err := l.Accept()
						if err == nil {
							err = step(c)
							c.Close()
						}
						if err != nil {
							back <- err.Error()
						}
					}
				}()
				port := l.Addr().(*net.TCPAddr).Port
				if got := app.Sh("control", fmt.Sprintf("nc 10.0.0.254 %d < /dev/null > /tmp/data; md5sum < /tmp/data; nc 10.0.0.254 %[1]d < /tmp/data", port)); got != sum {
					t.Errorf("the board got %s, want %s", got, sum)
				}
				if s := <-back; s != "true <nil>" {
					t.Errorf("the host got back: %s", s)
				}
			})
			if tt.name == "tap0" {
				if out, err := exec.Command("ip", "link", "show", "tap0").CombinedOutput(); err == nil {
					t.Errorf("the interface is still there:\n%s", out)
				}
			}
		})
	}
}

// TestTapNeedsRights asks for what an ordinary user may not have.
func TestTapNeedsRights(t *testing.T) {
	if !namespace(t, unix.CLONE_NEWUSER) { // with no rights over the network
		return
	}
	for kind, want := range map[string]string{
		`tap = "backplane0"`: "gateway outside: tap interface backplane0: operation not permitted: as root, make one of your own: ip tuntap add dev backplane0 mode tap user 0 && ip link set backplane0 up",
		`bridge = "br-none"`: "gateway outside: tap interface bp%d: operation not permitted",
	} {
		dir := t.TempDir()
		for name, text := range tapSite(t.TempDir(), kind) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		_, err = appliance.Start(t.Context(), a, appliance.Options{Init: guesttest.Init(t),
			Kernel: func(context.Context, bool, kernel.Recipe) (kernel.Image, error) {
				return kernel.Image{Path: "/bin/false"}, nil
			}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("with %s the error is\n%v, want\n%s", kind, err, want)
		}
	}
}

// TestOutside reaches a machine that is neither a board nor this host: a
// namespace behind a cable.
func TestOutside(t *testing.T) {
	if !namespace(t, unix.CLONE_NEWUSER|unix.CLONE_NEWNET) {
		return
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
	host(t, fmt.Sprintf("ip link set lo up; ip link add near type veth peer name far netns %d; ip addr add 198.51.100.2/24 dev near; ip link set near up;"+
		"%[2]s ip addr add 198.51.100.1/24 dev far; %[2]s ip link set far up; echo 0 0 > /proc/sys/net/ipv4/ping_group_range; echo far away > %[3]s/index.html;"+
		"%[2]s busybox httpd -p 80 -h %[3]s; %[2]s busybox httpd -p 81 -h %[3]s", far.Process.Pid, in, web))
	defer host(t, fmt.Sprintf("for p in $(%s busybox pidof busybox); do case $(tr '\\0' ' ' < /proc/$p/cmdline) in *%s*) kill $p;; esac; done", in, web))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, site(gatewayRoot(t), `allow = ["198.51.100.1:80", "198.51.100.0/25"]`), o)
		if got := app.Sh("sensor", "wget -q -O - http://198.51.100.1/"); got != "far away\n" {
			t.Errorf("wget prints %q", got)
		}
		if got := app.Sh("sensor", "ping -c 2 198.51.100.1"); !strings.Contains(got, "2 packets received") {
			t.Errorf("ping prints\n%s", got)
		}
		// This host is on that network, too, and is not to be reached.
		if r := app.StartCommand("sensor", "/bin/sh", "-c", "ping -c 1 -W 1 198.51.100.2").Wait(); r.Status == 0 {
			t.Errorf("the host answered:\n%s", r.Stdout)
		}
		if list := actions(app, gateway.ActionRefused); len(list) != 1 {
			t.Errorf("refusals are %q", list)
		}
	})
	t.Run("narrow", func(t *testing.T) {
		app := guesttest.Run(t, site(gatewayRoot(t), `allow = ["198.51.100.1:80"]`), guesttest.Options{Real: true})
		app.Sh("sensor", "wget -q -O - http://198.51.100.1/")
		if r := app.StartCommand("sensor", "wget", "-q", "-O", "-", "http://198.51.100.1:81/").Wait(); r.Status == 0 || !strings.Contains(r.Stderr, "refused") {
			t.Errorf("wget from a port that is not allowed: %+v", r)
		}
	})
}
