package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"backplane/tests/guesttest"
)

// dividedBoard has a NAND and a NOR flash, both divided, that keep their contents.
const dividedBoard = `name = "x"
[firmware]
rootfs = [%q]
[[spi]]
name = "spi0"
[[spi.chip]]
name = "nand0"
model = "w25n01gv"
select = 0
bad_blocks = 3
file = "nand.bin"
partitions = "2M(recovery)ro,-(system)"
[[spi.chip]]
name = "nor0"
model = "w25q128jv"
select = 1
file = "nor.bin"
partitions = "64K(env),1M@8M(boot)ro,512K(data)"
`

// TestFlashPartitions: the kernel has a flash's partitions, keeps those that are only read, and what is written into the others
// is there in the next run: a page of the NAND's, and a file of a JFFS2 in the NOR's.
func TestFlashPartitions(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, "nanddump", "nandwrite")
		fillRoot(t, root, map[string]string{"root/file": numbered(2048)})
		file := filepath.Join(t.TempDir(), "main.toml")
		if err := os.WriteFile(file, []byte(fmt.Sprintf(dividedBoard, root)), 0o600); err != nil {
			t.Fatal(err)
		}
		app := guesttest.RunFile(t, file, o)
		const want = `dev:    size   erasesize  name
mtd0: 00200000 00020000 "recovery"
mtd1: 07e00000 00020000 "system"
mtd2: 00010000 00001000 "env"
mtd3: 00100000 00001000 "boot"
mtd4: 00080000 00001000 "data"
`
		if got := app.Sh("x", "cat /proc/mtd"); got != want {
			t.Errorf("the kernel has\n%s", got)
		}
		app.Sh("x", "for n in 0 3; do if echo x 2>/dev/null >/dev/mtd$n; then exit 1; fi; done")
		app.Sh("x", "nandwrite -q -p -s 0x100000 /dev/mtd1 /root/file")
		app.Sh("x", "mkdir -p /mnt && mount -t jffs2 mtd:data /mnt && cp /root/file /mnt/file && umount /mnt")
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}

		app = guesttest.RunFile(t, file, o)
		app.Sh("x", "nanddump -q -s 0x100000 -l 2048 -f /tmp/page /dev/mtd1 && head -c 2048 /root/file | cmp - /tmp/page")
		app.Sh("x", "mkdir -p /mnt && mount -t jffs2 mtd:data /mnt && cmp /root/file /mnt/file")
	})
}
