package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// TestWindow has a kernel module read a line's level as a driver reads registers in a window of memory, and
// says what a read takes: a 16550 in such a window would take as long for each (docs/benchmarks.md).
func TestWindow(t *testing.T) {
	const reads = 20_000
	ko, err := os.ReadFile(module(t, "window"))
	if err != nil {
		t.Fatal(err)
	}
	root := guesttest.Rootfs(t)
	if err := os.WriteFile(filepath.Join(root, "window.ko"), ko, 0o644); err != nil {
		t.Fatal(err)
	}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"a\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\n[[gpio]]\nname = \"gpio0\"\nlines = [\"bit\"]\n", root)}, o)
		app.MustSet("a.gpio0.bit", "1")
		began := time.Now()
		app.Sh("a", fmt.Sprintf("cd /sys/bus/virtio/drivers/gpio_virtio; echo virtio[0-9]* >unbind; insmod /window.ko reads=%d", reads))
		wall := time.Since(began)
		m := regexp.MustCompile(`window: reads (\d+) high (\d+) status 1 ns (\d+)`).FindStringSubmatch(app.Sh("a", "dmesg | tail -3"))
		if m == nil || m[1] != fmt.Sprint(reads) || m[2] != m[1] {
			t.Fatalf("it has read %q", m)
		}
		ns, _ := strconv.ParseInt(m[3], 10, 64)
		t.Logf("a read takes %v of the board's time, %v of the host's", time.Duration(ns/reads), wall/reads)
	})
}
