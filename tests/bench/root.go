package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// makeRoot puts busybox, iperf3, ping and load into a root file system, and the
// scripts that use them.
func (b *bench) makeRoot() error {
	bin := filepath.Join(b.root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for _, applet := range strings.Fields("sh mount ip sleep poweroff sync echo cat") {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"client": clientScript, "server": serverScript} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	for name, path := range map[string]string{"busybox": "busybox", "load": b.Load, "iperf3": "iperf3", "ping": "ping"} {
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
			if err := copyFile(m[1], filepath.Join(b.root, m[1])); err != nil {
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
