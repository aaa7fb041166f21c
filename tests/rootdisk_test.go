package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

// ownInit is process 1 of a root on a disk, which says so and stays.
const ownInit = "#!/bin/sh\necho own init is $$\nwhile :; do sleep 100; done\n"

// diskRoot is a folder with a root file system for a disk: what a distribution has in it,
// and nothing of ours.
func diskRoot(t *testing.T) string {
	t.Helper()
	root := guesttest.Rootfs(t)
	fillRoot(t, root, map[string]string{"sbin/init": ownInit, "etc/issue": "from the disk\n"})
	for _, dir := range []string{"proc", "sys", "dev", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "sbin/init"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// shell runs a script of the host's, with a folder for images as its own.
func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-euc", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
}

// rootImages are images of a root, in a folder: ext4, squashfs, and disks with partitions.
func rootImages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shell(t, dir, `
export PATH=$PATH:/usr/sbin:/sbin
root=`+diskRoot(t)+`
truncate -s 32M ext4.img data.img
mke2fs -q -t ext4 -d $root ext4.img
mke2fs -q -t ext4 data.img
mksquashfs $root squash.img -all-root -quiet -no-progress
mksquashfs $root zstd.img -comp zstd -all-root -quiet -no-progress
qemu-img convert -O qcow2 ext4.img ext4.qcow2
truncate -s 80M gpt.img mbr.img
printf 'label: gpt\nstart=2048,size=2048,name=boot\nsize=65536,name=root\n' | sfdisk -q gpt.img
printf 'label: dos\nstart=2048,size=2048,type=c\nsize=2048\ntype=5\nsize=65536\nsize=32768\n' | sfdisk -q mbr.img
dd if=ext4.img of=gpt.img bs=512 seek=$(sfdisk -d gpt.img | sed -n 's/.*img2 : start= *\([0-9]*\).*/\1/p') conv=notrunc status=none
dd if=squash.img of=mbr.img bs=512 seek=$(sfdisk -d mbr.img | sed -n 's/.*img5 : start= *\([0-9]*\).*/\1/p') conv=notrunc status=none
`)
	return dir
}

// onConsole tells whether a line has been on a console.
func onConsole(app *guesttest.App, text string) bool {
	for _, e := range app.Events() {
		if line, ok := e.Get("line"); ok && strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// TestRootOnDisk: what an image has is the root, its init is process 1, and our agent is
// beside it; what is written is there after an orderly end, in a file system that is clean.
func TestRootOnDisk(t *testing.T) {
	dir := rootImages(t)
	for _, c := range []struct{ name, root, image, overlay, mount string }{
		{"ext4", "system", "ext4.img", "", "/dev/vda / ext4 rw"},
		{"qcow2", "system", "ext4.qcow2", "", "/dev/vda / ext4 rw"},
		{"GPT", "system.2", "gpt.img", "", "/dev/vda2 / ext4 rw"},
		{"MBR with overlay in memory", "system.5", "mbr.img", "tmpfs", "overlay / overlay rw"},
		{"squashfs", "system", "squash.img", "", "/dev/vda / squashfs ro"},
		{"squashfs by zstd", "system", "zstd.img", "", "/dev/vda / squashfs ro"},
		{"squashfs with overlay on a disk", "system", "squash.img", "data", "overlay / overlay rw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			overlay := ""
			if c.overlay != "" {
				overlay = fmt.Sprintf("overlay = %q\n", c.overlay)
			}
			file := filepath.Join(dir, "main.toml")
			board := fmt.Sprintf("name = \"b\"\n[firmware]\nroot = %q\n%s[[disk]]\nname = \"system\"\nimage = %q\nkeep = %q\n[[disk]]\nname = \"data\"\nimage = \"data.img\"\nkeep = \"data %s.overlay\"\n",
				c.root, overlay, c.image, c.name+".overlay", c.name)
			if err := os.WriteFile(file, []byte(board), 0o600); err != nil {
				t.Fatal(err)
			}
			writes := strings.Contains(c.mount, " rw")
			for boot := range 2 {
				app := guesttest.RunFile(t, file, guesttest.Options{Seed: 1})
				out := app.Sh("b", `cat /etc/issue /proc/mounts /proc/cmdline; echo init is $(cat /proc/1/comm); ls -d /etc/backplane /newroot; cat /written; echo next >> /written; sync; true`)
				for _, want := range []string{"from the disk\n", "\n" + c.mount, "init is init\n", "devtmpfs /dev", "proc /proc", "sysfs /sys", "root=/dev/vda"} {
					wants(t, out, want)
				}
				if strings.Contains(out, "/etc/backplane") || strings.Contains(out, "/newroot") {
					t.Errorf("something of Backplane's is in the root:\n%s", out)
				}
				if !onConsole(app, "own init is 1") {
					t.Error("the root's own init is not process 1")
				}
				if kept := strings.Contains(out, "next\n"); kept != (boot == 1 && writes && c.overlay != "tmpfs") {
					t.Errorf("at boot %d what was written is there: %v\n%s", boot, kept, out)
				}
				if err := app.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestRootKeptClean: when our init stays process 1, an orderly end and a restart leave a file system that
// needs no recovery, though a program still has a file of it open.
func TestRootKeptClean(t *testing.T) {
	dir := rootImages(t)
	file := filepath.Join(dir, "main.toml")
	board := "name = \"b\"\nmemory = \"32M\"\n[firmware]\nroot = \"system\"\nhandover = false\n[[disk]]\nname = \"system\"\nimage = \"ext4.img\"\nkeep = \"kept.overlay\"\n"
	if err := os.WriteFile(file, []byte(board), 0o600); err != nil {
		t.Fatal(err)
	}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		for range 2 {
			app := guesttest.RunFile(t, file, o)
			out := app.Sh("b", "cat /proc/1/comm; ls -d /tmp /etc/backplane; (trap '' TERM; exec sleep 1000) > /open 2>&1 & echo more > /written")
			wants(t, out, "init\n/tmp\n")
			app.StartCommand("b", "kill", "1") // as reboot does
			untilState(app, "b", appliance.StateUp)
			wants(t, app.Sh("b", "cat /written"), "more\n")
			if err := app.PowerOff("b"); err != nil {
				t.Fatal(err)
			}
			app.Until(10*time.Second, "its end", off)
			if onConsole(app, "recovery") {
				t.Error("the file system was not clean")
			}
			if err := app.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLargeRoot: a root of a gigabyte needs no more of the board's and the host's memory than is read
// of it.
func TestLargeRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, "root="+diskRoot(t)+`
dd if=/dev/urandom of=$root/large bs=1M count=700 status=none
truncate -s 1G large.img; PATH=$PATH:/usr/sbin:/sbin mke2fs -q -t ext4 -d $root large.img; rm $root/large`)
	file := filepath.Join(dir, "main.toml")
	board := "name = \"b\"\nmemory = \"128M\"\n[firmware]\nroot = \"system\"\n[[disk]]\nname = \"system\"\nimage = \"large.img\"\n"
	if err := os.WriteFile(file, []byte(board), 0o600); err != nil {
		t.Fatal(err)
	}
	before := anonymous(t)
	app := guesttest.RunFile(t, file, guesttest.Options{Seed: 1})
	wants(t, app.Sh("b", "wc -c < /large"), fmt.Sprint(700<<20))
	if more := anonymous(t) - before; more > 64<<20 {
		t.Errorf("this program has %d MiB more of memory of its own", more>>20)
	}
}

// anonymous is how much memory this process has that is in no file, in bytes.
func anonymous(t *testing.T) (bytes int64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes << 10
}

// TestBadRoots: what check says of a root that is not there, and how a board tells of one
// that has no init.
func TestBadRoots(t *testing.T) {
	dir := rootImages(t)
	shell(t, dir, "truncate -s 1M zeros.img; truncate -s 5M swap.img; PATH=$PATH:/sbin:/usr/sbin mkswap -q swap.img 2>/dev/null >&2; mkdir bare; mkdir bare/proc bare/sys bare/dev bare/run; mksquashfs bare bare.img -all-root -quiet -no-progress")
	for text, want := range map[string]string{
		"root = \"syste\"":                            "main.toml:3:1: root: the board has no disk \"syste\": did you mean \"system\"?",
		"root = \"system.x\"":                         "main.toml:3:1: root: \"system.x\" is no place: write DISK, or DISK.NUMBER",
		"root = \"empty\"":                            "main.toml:3:1: root: disk empty is empty at first: write image = \"FILE\"",
		"root = \"system.1\"":                         "ext4.img has no partitions: write \"system\"",
		"root = \"gpt\"":                              "gpt.img has partitions (1, 2): write \"gpt.NUMBER\"",
		"root = \"gpt.3\"":                            "gpt.img has no partition 3, but 1, 2",
		"root = \"gpt.1\"":                            "partition 1 of ",
		"root = \"zeros\"":                            "zeros.img has no known file system",
		"root = \"swap\"":                             "swap.img has a swap area",
		"root = \"system\"\noverlay = \"squash\"":     "main.toml:4:1: overlay: ",
		"root = \"system\"\noverlay = \"system\"":     "main.toml:4:1: overlay and root are the same",
		"root = \"system\"\noverlay = \"no\"":         "or write \"tmpfs\" for one in memory",
		"root = \"system\"\nrootfs = []":              "main.toml:3:1: root and rootfs are two root file systems",
		"overlay = \"tmpfs\"":                         "main.toml:3:1: an overlay needs a root on a disk",
		"root = \"system\"\nargs = \"root=/dev/vdb\"": "main.toml:4:1: args has \"root=/dev/vdb\"",
	} {
		_, out, status := run(t, nil, "check", badRoot(t, dir, text))
		if status != 2 || !strings.Contains(out, want) {
			t.Errorf("%s\nstatus %d\n%s\nwant %s", text, status, out, want)
		}
	}
	for text, want := range map[string]string{
		"root = \"bare\"": "/sbin/init: no such file or directory; the board stays up without it",
	} {
		app := guesttest.RunFile(t, badRoot(t, dir, text), guesttest.Options{Seed: 1})
		said := false
		for _, e := range app.Events() {
			detail, _ := e.Get("detail")
			said = said || strings.Contains(detail, want)
		}
		if !said {
			t.Errorf("%s\nno event says %s", text, want)
		}
	}
}

// badRoot writes a board file with disks of all images and those keys.
func badRoot(t *testing.T, dir, keys string) string {
	t.Helper()
	file, text := filepath.Join(dir, "main.toml"), "name = \"b\"\n[firmware]\n"+keys+"\n[[disk]]\nname = \"empty\"\n"
	for name, image := range map[string]string{"system": "ext4.img", "gpt": "gpt.img", "squash": "squash.img", "zeros": "zeros.img", "swap": "swap.img", "bare": "bare.img"} {
		text += fmt.Sprintf("[[disk]]\nname = %q\nimage = %q\n", name, image)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
