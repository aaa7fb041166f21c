package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// makeRoots makes the root file systems: one with the clients, and a small one
// for boards that only wake up.
func (b *bench) makeRoots() error {
	b.root, b.small = filepath.Join(b.dir, "root"), filepath.Join(b.dir, "small")
	if err := makeRoot(b.small, map[string]string{"busybox": "busybox", "pulse": b.Pulse}); err != nil {
		return err
	}
	if err := makeRoot(b.root, map[string]string{"busybox": "busybox", "load": b.Load, "iperf3": "iperf3", "ping": "ping"}); err != nil {
		return err
	}
	for name, text := range map[string]string{"client": clientScript, "server": serverScript} {
		if err := os.WriteFile(filepath.Join(b.root, "bin", name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// makeRoot puts programs of this machine, by their names on the board, into a
// root file system, with the libraries that they need.
func makeRoot(root string, programs map[string]string) error {
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for _, applet := range strings.Fields("sh mount ip sleep poweroff sync echo cat") {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	for name, path := range programs {
		found, err := exec.LookPath(path)
		if err != nil {
			return fmt.Errorf("%w: tools/packages installs what benchmarks need", err)
		}
		if err := copyFile(found, filepath.Join(bin, name)); err != nil {
			return err
		}
		out, err := exec.Command("ldd", found).Output()
		if err != nil {
			continue // it is static
		}
		for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
			if err := copyFile(m[1], filepath.Join(root, m[1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
