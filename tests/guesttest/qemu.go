package guesttest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/tests/debian"
)

// virtioModules are what a guest of QEMU's needs for disks and network, in this order.
var virtioModules = []string{"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk", "failover", "net_failover", "virtio_net"}

// copyModules puts them into a root.
func copyModules(t testing.TB, tree, root string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	found := 0
	err := filepath.WalkDir(filepath.Join(tree, "lib/modules"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains(virtioModules, strings.TrimSuffix(d.Name(), ".ko")) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found++
		return os.WriteFile(filepath.Join(root, "modules", d.Name()), data, 0o644)
	})
	if err != nil || found != len(virtioModules) {
		t.Fatalf("%d of the modules %v are in %s: %v", found, virtioModules, tree, err)
	}
}

// QEMU boots Debian's kernel on a PC that QEMU emulates, with these arguments as well, and
// returns what the script prints there. The root is one of Rootfs.
func QEMU(t testing.TB, root, script string, args ...string) string {
	t.Helper()
	tree, err := debian.Tree()
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := debian.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	init := "#!/bin/sh\nmkdir -p /run /tmp /mnt\nmount -t devtmpfs dev /dev\nmount -t proc proc /proc\nmount -t sysfs sys /sys\n"
	for _, name := range virtioModules {
		init += "insmod /modules/" + name + ".ko\n"
	}
	copyModules(t, tree, root)
	init += "echo BEGIN\n(set -e\n" + script + "\n) 2>&1\necho END $?\npoweroff -f\n"
	for _, dir := range []string{"dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(init), 0o755); err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	if out, err := exec.Command("sh", "-c", fmt.Sprintf("cd %s && find . | cpio -o -H newc --quiet >%s", root, initrd)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	all := append([]string{"-accel", "tcg", "-M", "q35,memory-backend=memory", "-m", "256", "-object", "memory-backend-memfd,id=memory,size=256M,share=on",
		"-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"}, args...)
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", all...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	text := strings.ReplaceAll(out.String(), "\r", "")
	m := regexp.MustCompile(`(?s)\nBEGIN\n(.*)\nEND 0\n`).FindStringSubmatch("\n" + text)
	if err != nil || m == nil {
		t.Fatalf("QEMU: %v\n%s", err, text)
	}
	return m[1] + "\n"
}
