package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// systemdRoot is a root file system with this machine's systemd and udev, a getty and what else is
// given.
func systemdRoot(t *testing.T, programs ...string) string {
	t.Helper()
	root := guesttest.Rootfs(t, append(programs, "/lib/systemd/systemd", "/lib/systemd/systemd-udevd", "systemctl", "udevadm", "/sbin/agetty")...)
	for _, dir := range []string{"/lib/systemd/system", "/lib/udev/rules.d"} {
		guesttest.AddDir(t, root, dir)
	}
	fillRoot(t, root, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\ntty:x:5:\ndialout:x:20:\n", "etc/machine-id": ""})
	for link, to := range map[string]string{
		"sbin/init":                         "/lib/systemd/systemd",
		"etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
		"etc/systemd/system/getty.target.wants/serial-getty@ttyS1.service": "/lib/systemd/system/serial-getty@.service",
	} {
		path := filepath.Join(root, link)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestGetty: systemd finds a serial port by udev, and starts a getty on it, which somebody at the
// other end of the line sees.
func TestGetty(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	server := fmt.Sprintf("name = \"server\"\nmemory = \"256M\"\n[firmware]\nrootfs = [%q]\ninit = \"/sbin/init\"\nhandover = true\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\n",
		systemdRoot(t))
	desk := fmt.Sprintf("name = \"desk\"\n[firmware]\nrootfs = [%q]\n[[serial]]\nname = \"uart1\"\n", guesttest.Rootfs(t, tty))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"server.toml": server, "desk.toml": desk, "main.toml": "name = \"room\"\n" +
			"[[board]]\nfile = \"server.toml\"\n[[board]]\nfile = \"desk.toml\"\n[[serial]]\nname = \"cable\"\nports = [\"server.uart1\", \"desk.uart1\"]\n"}, o)
		port := strings.TrimSpace(app.Sh("desk", "echo /dev/ttyS*"))
		out := app.Do("desk", "tty", port, "rate=9600", "wait=30s", "read=9", "wait=500ms", "read=100")
		wants(t, out, "login: ")
		app.Sleep(time.Second)
		wants(t, app.Sh("server", "systemctl is-active serial-getty@ttyS1.service dev-ttyS1.device; udevadm info /dev/ttyS1"),
			"active\nactive\n", "DEVNAME=/dev/ttyS1", ":systemd:")
	})
}
