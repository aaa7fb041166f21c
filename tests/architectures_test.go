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

// architectureBoard has what the program devices uses.
const architectureBoard = `name = "x"
memory = "96M"
[firmware]
arch = %q
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["out", "in"]
[[i2c]]
name = "i2c1"
number = 1
[[i2c.chip]]
name = "temp0"
model = "tmp102"
address = 0x48
temperature = -21.5
[[spi]]
name = "spi0"
[[spi.chip]]
name = "loop0"
model = "spi_loopback"
select = 0
[[serial]]
name = "uart1"
device = "/dev/ttyS1"
`

// TestArchitectures has the same program, built for each architecture, use the parts of a board:
// what it finds is what a native one does, and it sees its own machine.
func TestArchitectures(t *testing.T) {
	t.Parallel()
	uses := []string{"i2c", "smbus", "gpio", "spi", "serial", "namespace"}
	native := make(map[string]string)
	for _, arch := range []struct{ name, golang, machine string }{
		{"amd64", "amd64", "x86_64"}, {"arm64", "arm64", "aarch64"}, {"armhf", "arm", "armv7l"}, {"riscv64", "riscv64", "riscv64"},
	} {
		t.Run(arch.name, func(t *testing.T) {
			root := guesttest.Rootfs(t, guesttest.ProgramFor(t, "backplane/tests/programs/devices", arch.golang))
			file := filepath.Join(t.TempDir(), "x.toml")
			if err := os.WriteFile(file, fmt.Appendf(nil, architectureBoard, arch.name, root), 0o644); err != nil {
				t.Fatal(err)
			}
			app := guesttest.RunFile(t, file, guesttest.Options{Seed: 1})
			if got := strings.TrimSpace(app.Do("x", "devices", "machine")); got != arch.machine {
				t.Errorf("the machine is %q, want %q", got, arch.machine)
			}
			for _, use := range uses {
				c := app.StartCommand("x", "devices", use)
				if use == "gpio" {
					app.Sleep(time.Second) // it waits for an edge
					app.MustSet("x.gpio0.in", "1")
				}
				got := c.Wait().Stdout
				if arch.name == "amd64" {
					native[use] = got
				}
				if !strings.HasPrefix(got, use+" ") || strings.Contains(got, "failed") || got != native[use] {
					t.Errorf("%s: %q, natively %q", use, got, native[use])
				}
			}
			// Nothing of the emulator is in the root.
			if got := app.Sh("x", "ls /etc/backplane; ls /proc/sys/fs/binfmt_misc"); got != "board.json\n" {
				t.Errorf("the root has %q", got)
			}
		})
	}
}

const (
	arm64Firmware = "scenarios/arm64-firmware/arm64-firmware.toml"
	arm64Debian   = "scenarios/arm64-debian/arm64-debian.toml"
)

// TestArm64Firmware: firmware and Debian's tools for arm64 do with an appliance what native ones do, and
// the same each time.
func TestArm64Firmware(t *testing.T) {
	t.Parallel()
	makeImage(t, "debian-arm64.img")
	verified(t, arm64Firmware, 2)
}

// TestArm64Debian: systemd for arm64 takes a board over on both clocks, has no failed unit, and is powered off in order.
func TestArm64Debian(t *testing.T) {
	t.Parallel()
	makeImage(t, "debian-arm64.img")
	passesOnBothClocks(t, arm64Debian)
}
