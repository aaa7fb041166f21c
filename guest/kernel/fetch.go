package kernel

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"backplane/guest/build"
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

// fetch gets Debian's package into the cache.
func fetch(ctx context.Context, cache string) error {
	if path, _ := cachedPackage(cache); path != "" {
		return nil
	}
	return build.Fetch(ctx, cache, build.Package{Name: "linux-source-" + Series, Suite: "trixie-backports"}, func(dir string) error {
		found, err := filepath.Glob(filepath.Join(dir, "linux-source-*.deb"))
		if err != nil {
			return err
		}
		for _, file := range found {
			name := strings.ReplaceAll(filepath.Base(file), "%3a", "")
			if err := os.Rename(file, filepath.Join(cache, name)); err != nil {
				return err
			}
		}
		return nil
	})
}
