package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cachedPackage finds Debian's package in the cache, and its version.
func cachedPackage(cache string) (path, version string) {
	found, err := filepath.Glob(filepath.Join(cache, "linux-source-"+Series+"_*_all.deb"))
	if err != nil || len(found) == 0 {
		return "", ""
	}
	path = found[len(found)-1]
	version, _, _ = strings.Cut(strings.TrimPrefix(filepath.Base(path), "linux-source-"+Series+"_"), "_all.deb")
	return path, "debian " + version
}

// keyring is what Debian signs its archive with.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// fetch gets Debian's package into the cache, with lists and a cache of apt's
// own so that nothing of the machine's changes. apt verifies the signatures.
func fetch(ctx context.Context, cache string) error {
	if path, _ := cachedPackage(cache); path != "" {
		return nil
	}
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
	dir := w.dir
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	list := fmt.Sprintf("deb [signed-by=%s] %s trixie-backports main\n", keyring, mirror)
	if err := os.WriteFile(filepath.Join(dir, "source.list"), []byte(list), 0o644); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(cache, "fetch.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	r := runner{ctx: ctx, work: w, log: log}
	options := []string{"-q",
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(dir, "source.list"), "-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none",
	}
	if err := r.run("apt-get", append(options, "update")...); err != nil {
		return err
	}
	if err := r.run("apt-get", append(options, "download", "linux-source-"+Series)...); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "linux-source-*.deb"))
	if err != nil || len(found) != 1 {
		return errors.New("apt-get downloaded no package")
	}
	name := strings.ReplaceAll(filepath.Base(found[0]), "%3a", "")
	return os.Rename(found[0], filepath.Join(cache, name))
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
