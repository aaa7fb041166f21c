package tests

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestForeignDisk has a board's kernel use a disk that is not ours, in real time: that of
// QEMU's storage daemon, which speaks vhost-user as well.
func TestForeignDisk(t *testing.T) {
	dir, err := os.MkdirTemp("", "f") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	image, socket := filepath.Join(dir, "image"), filepath.Join(dir, "s")
	if err := os.WriteFile(image, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("qemu-storage-daemon", "--blockdev", "driver=file,node-name=image,filename="+image,
		"--chardev", "stdio,id=monitor", "--monitor", "chardev=monitor",
		"--export", "type=vhost-user-blk,id=disk,node-name=image,writable=on,addr.type=unix,addr.path="+socket)
	daemon.Stderr = os.Stderr
	in, err := daemon.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatalf("%v: tools/packages installs what the tests need", err)
	}
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil { // its monitor's greeting: the export is there
		t.Fatalf("%q, %v", line, err)
	}
	// A kernel without walls is still another user, if it can be.
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(socket, 0o666)); err != nil {
		t.Fatal(err)
	}
	root := guesttest.Rootfs(t, "mkfs.ext4", "e2fsck")
	board := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\nargs = \"virtio_uml.device=%s:2\"\n[[disk]]\nname = \"own\"\nsize = \"8M\"\n", root, socket)
	app := guesttest.Run(t, map[string]string{"main.toml": board}, guesttest.Options{Real: true, Unconfined: true}) // the socket is outside
	foreign := strings.TrimSpace(app.Sh("b", `for d in /sys/block/vd*; do [ "$(cat $d/size)" != 131072 ] || echo /dev/${d##*/}; done`))
	app.Sh("b", fmt.Sprintf("mkfs.ext4 -q %[1]s && mkdir /mnt && mount %[1]s /mnt && cp /bin/busybox /mnt/file && sync && echo 3 >/proc/sys/vm/drop_caches && busybox cmp /bin/busybox /mnt/file && umount /mnt", foreign))
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("e2fsck", "-fn", image).CombinedOutput(); err != nil {
		t.Errorf("e2fsck of the image: %v\n%s", err, out)
	}
}
