// Package debian has Debian's own kernel, for machines that QEMU emulates: the peers of
// boards in tests and benchmarks.
package debian

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// pack is the package with a kernel that has nothing that only hardware has.
const pack = "linux-image-cloud-amd64"

// Tree is a folder with the kernel, boot/vmlinuz-VERSION, and its modules. It is fetched once
// and kept beside the boards' kernels, for to install it would make it one that this machine
// could boot.
func Tree() (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, "backplane", pack)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work, err := os.MkdirTemp("", "kernel-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	const fetch = `p=$(apt-cache depends ` + pack + ` | sed -n 's/^ *Depends: //p') && apt-get -qq download $p && dpkg-deb -x *.deb tree`
	cmd := exec.Command("sh", "-c", "{ "+fetch+"; } || { apt-get -qq update && "+fetch+"; }")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("get the package %s: %w\n%s", pack, err, out)
	}
	if err := os.RemoveAll(dir + ".new"); err != nil { // of one that was interrupted
		return "", err
	}
	if out, err := exec.Command("cp", "-a", filepath.Join(work, "tree"), dir+".new").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, os.Rename(dir+".new", dir)
}

// Kernel is the kernel's file.
func Kernel() (file string, err error) {
	tree, err := Tree()
	if err != nil {
		return "", err
	}
	kernels, err := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return "", fmt.Errorf("kernels in %s: %q", tree, kernels)
	}
	return kernels[0], nil
}
