package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// keyring is what Debian signs its archive with.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Package is one of Debian's, of this machine's mirror.
type Package struct {
	Name, Suite string
	Source      bool // its source, as it is unpacked, instead of the binary
}

// Fetch gets a package into an empty folder of the cache, with lists and a cache of apt's
// own so that nothing of the machine's changes; take is given the folder, which then goes. apt
// verifies the signatures.
func Fetch(ctx context.Context, cache string, p Package, take func(dir string) error) error {
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("%w: as root, apt-get install debian-archive-keyring", err)
	}
	mirror, err := aptMirror(ctx)
	if err != nil {
		return err
	}
	w, err := newWork(cache, "fetching-")
	if err != nil {
		return err
	}
	defer w.close()
	dir := filepath.Join(w.Dir, "apt")
	to := filepath.Join(w.Dir, "packages")
	for _, d := range []string{filepath.Join(dir, "lists/partial"), filepath.Join(dir, "cache/archives/partial"), to} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	kind, get := "deb", []string{"download"}
	if p.Source {
		kind, get = "deb-src", []string{"--download-only", "source"}
	}
	list := fmt.Sprintf("%s [signed-by=%s] %s %s main\n", kind, keyring, mirror, p.Suite)
	if err := os.WriteFile(filepath.Join(dir, "source.list"), []byte(list), 0o644); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(cache, "fetch.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	r := Runner{ctx: ctx, work: w, log: log}
	options := []string{"-q",
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(dir, "source.list"), "-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none",
	}
	if err := r.Run("apt-get", append(options, "update")...); err != nil {
		return err
	}
	r.In = to
	if err := r.Run("apt-get", append(append(options, get...), p.Name)...); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(to, "*"))
	if err != nil || len(found) == 0 {
		return errors.New("apt-get downloaded no package")
	}
	return take(to)
}

// aptMirror is the address of the machine's own Debian mirror.
func aptMirror(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("ask apt for its mirror: %w", err)
	}
	for _, line := range strings.Fields(string(out)) {
		if strings.HasSuffix(strings.TrimSuffix(line, "/"), "debian") {
			return line, nil
		}
	}
	return "", errors.New("apt knows no Debian mirror: is this Debian, and was apt-get update run?")
}
