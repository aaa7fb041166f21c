package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// nandBoard has a NAND flash on SPI with some bad blocks, which keeps its contents.
const nandBoard = `name = "x"
[firmware]
rootfs = [%q]
[[spi]]
name = "spi0"
frequency = 40_000_000
[[spi.chip]]
name = "nand0"
model = "w25n01gv"
select = 0
bad_blocks = 5
file = "nand.bin"
`

// TestNAND has mtd-utils use a NAND flash: bad blocks are passed over, a wrong bit is corrected and two are seen, and UBI with a
// squashfs on it outlives a loss of power while it writes.
func TestNAND(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, "mtdinfo", "nanddump", "nandwrite", "flash_erase", "nandtest", "ubiformat", "ubiattach", "ubidetach", "ubimkvol", "ubiupdatevol", "ubiblock")
		image := t.TempDir()
		fillRoot(t, image, map[string]string{"etc/product": numbered(4096)})
		fillRoot(t, root, map[string]string{"root/file": numbered(2048)})
		shell(t, image, "mksquashfs . "+filepath.Join(root, "root", "image")+" -all-root -quiet -no-progress")
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(nandBoard, root)}, o)
		counter := func(name string) string { return strings.TrimSpace(app.Sh("x", "cat /sys/class/mtd/mtd0/"+name)) }
		wants(t, app.Do("x", "mtdinfo", "/dev/mtd0"), "Type:                           nand", "Eraseblock size:                131072 bytes, 128.0 KiB",
			"Amount of eraseblocks:          1024", "Minimum input/output unit size: 2048 bytes", "OOB size:                       64 bytes", "Bad blocks are allowed:         true")

		// Block 8, whose first page is 512. Two bits of its first sector.
		app.Sh("x", "nandwrite -q -p -s 0x100000 /dev/mtd0 /root/file && nanddump -q -s 0x100000 -l 2048 -f /tmp/page /dev/mtd0 && head -c 2048 /root/file | cmp - /tmp/page")
		app.MustSet("x.nand0.flip", "512:1234")
		app.Sh("x", "nanddump -q -s 0x100000 -l 2048 -f /tmp/page /dev/mtd0 && head -c 2048 /root/file | cmp - /tmp/page")
		if got := counter("corrected_bits"); got == "0" {
			t.Error("no bit has been corrected")
		}
		app.MustSet("x.nand0.flip", "512:4000")
		app.Sh("x", "nanddump -q -s 0x100000 -l 2048 -f /tmp/page /dev/mtd0 || true; if head -c 2048 /root/file | cmp -s - /tmp/page; then exit 1; fi")
		if got := counter("ecc_failures"); got == "0" {
			t.Error("no page is lost")
		}
		app.Sh("x", "flash_erase -q /dev/mtd0 0x100000 1 && nandtest -l 0x20000 -o 0x100000 /dev/mtd0 >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }")

		const attach = "ubiattach -m 0 >/dev/null && for v in 0 1; do mknod /dev/ubi0_$v c $(cat /sys/class/ubi/ubi0_$v/dev | tr : ' ') 2>/dev/null; done; true"
		app.Sh("x", "ubiformat -q -y /dev/mtd0 && ubiattach -m 0 >/dev/null && ubimkvol /dev/ubi0 -N firmware -s 2MiB >/dev/null && ubimkvol /dev/ubi0 -N data -s 4MiB >/dev/null && "+
			"ubiupdatevol /dev/ubi0_0 /root/image && sync")
		if got := app.Sh("x", "cat /sys/class/ubi/ubi0/bad_peb_count"); got != "5\n" {
			t.Errorf("%s blocks are bad", strings.TrimSpace(got))
		}
		app.StartCommand("x", "/bin/sh", "-c", "while ubiupdatevol /dev/ubi0_1 /root/file; do :; done")
		writing(app, "x.nand0.programs")
		if err := app.PullPlug("x"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "x", appliance.StateOff)
		if err := app.PowerOn("x"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "x", appliance.StateUp)
		app.Sh("x", attach)
		got := app.Sh("x", "ubiblock -c /dev/ubi0_0 && mkdir -p /mnt && mount -t squashfs -o ro /dev/ubiblock0_0 /mnt && cat /mnt/etc/product && ubiupdatevol /dev/ubi0_1 /root/file && "+
			"head -c $(stat -c %s /root/file) /dev/ubi0_1 | cmp - /root/file")
		if got != numbered(4096) {
			t.Errorf("the squashfs has %d bytes, want %d\n%s", len(got), len(numbered(4096)), app.Sh("x", "dmesg | tail -20"))
		}
		if got := app.Sh("x", "dmesg | grep -c 'WARNING:\\|BUG:' || :"); got != "0\n" {
			t.Errorf("the kernel complains: %s", app.Sh("x", "dmesg"))
		}
	})
}

// writing waits until a flash has been written to some more.
func writing(app *guesttest.App, property string) {
	for before, n := app.MustGet(property), 0; n < 5; n++ {
		for app.MustGet(property) == before {
			app.Sleep(2 * time.Millisecond)
		}
		before = app.MustGet(property)
	}
}
