// Package kernel builds guest kernels from Debian's kernel source, or from any
// kernel tree, and caches them under a hash of all that goes into them.
package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"

	kernelconfig "backplane/firmware/kernel"

	"golang.org/x/sys/unix"
)

// Flavour is a kind of guest kernel.
type Flavour string

// The flavours: each excludes what the other is for.
const (
	Virtual Flavour = "virtual" // time travel or host time, one CPU
	SMP     Flavour = "smp"     // host time, up to 64 CPUs
)

// For is the flavour for virtual time or a single CPU, or that for neither.
func For(virtual bool) Flavour {
	if virtual {
		return Virtual
	}
	return SMP
}

// Builder builds one kernel.
type Builder struct {
	Flavour Flavour
	// Source is a tarball with a kernel tree; empty for Debian's package.
	Source string
	// Extra is a further configuration fragment, a board's own.
	Extra []byte
	// Progress, if set, is told how far the build is.
	Progress func(Progress)
	// Jobs is how many compilers run at once; all CPUs if it is 0.
	Jobs int
	// Cache is the folder for kernels and sources; if empty, backplane/kernel
	// in the user's cache folder.
	Cache string
}

// Progress is how far a build is.
type Progress struct {
	Step    string // what is going on: "fetch", "unpack", "configure", "compile"
	Percent int    // of the whole, 0 to 100
	Left    time.Duration
}

// Series is the kernel series that Backplane is tested with: its source is
// Debian's package linux-source-SERIES.
const Series = "7.2"

func (b *Builder) cache() (string, error) {
	if b.Cache != "" {
		return b.Cache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for kernels: %w (set XDG_CACHE_HOME)", err)
	}
	return filepath.Join(dir, "backplane", "kernel"), nil
}

// fragment is a named part of the configuration.
type fragment struct {
	name string
	text []byte
}

func (b *Builder) fragments() ([]fragment, error) {
	var list []fragment
	for _, name := range []string{"common.config", string(b.Flavour) + ".config"} {
		text, err := kernelconfig.Files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("unknown flavour %q: there are %s and %s", b.Flavour, Virtual, SMP)
		}
		list = append(list, fragment{name, text})
	}
	if len(b.Extra) > 0 {
		list = append(list, fragment{"the board's kernel_config", b.Extra})
	}
	return list, nil
}

func patches() ([]fragment, error) {
	names, err := fs.Glob(kernelconfig.Files, "patches/*.patch")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var list []fragment
	for _, name := range names {
		text, err := kernelconfig.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list = append(list, fragment{filepath.Base(name), text})
	}
	return list, nil
}

// key is the hash of all that makes a kernel: what it is built from has the
// name source.
func (b *Builder) key(source string) (string, error) {
	parts, err := b.fragments()
	if err != nil {
		return "", err
	}
	p, err := patches()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "source %s\n", source)
	for _, f := range append(parts, p...) {
		fmt.Fprintf(h, "%s %d\n", f.name, len(f.text))
		h.Write(f.text)
	}
	return hex.EncodeToString(h.Sum(nil))[:24], nil
}

// source names what the kernel would be built from: the tarball's hash, or the
// version of Debian's package that is in the cache, "" if none is.
func (b *Builder) source(cache string) (string, error) {
	if b.Source == "" {
		_, version := cachedPackage(cache)
		return version, nil
	}
	f, err := os.Open(b.Source)
	if err != nil {
		return "", fmt.Errorf("kernel source: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("kernel source: %w", err)
	}
	return "tarball " + hex.EncodeToString(h.Sum(nil)), nil
}

// Lookup finds the kernel in the cache.
func (b *Builder) Lookup() (path string, ok bool, err error) {
	cache, err := b.cache()
	if err != nil {
		return "", false, err
	}
	source, err := b.source(cache)
	if err != nil || source == "" {
		return "", false, err
	}
	key, err := b.key(source)
	if err != nil {
		return "", false, err
	}
	path = filepath.Join(cache, key, "linux")
	info, err := os.Stat(path)
	return path, err == nil && info.Mode().IsRegular(), nil
}

// Build returns the kernel from the cache, and builds it first if it is not
// there. What fails or is interrupted leaves nothing but its log.
func (b *Builder) Build(ctx context.Context) (path string, err error) {
	if path, ok, err := b.Lookup(); ok || err != nil {
		return path, err
	}
	if err := checkTools(); err != nil {
		return "", err
	}
	cache, err := b.cache()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("cache for kernels: %w", err)
	}
	unlock, err := lock(ctx, cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := sweep(cache); err != nil {
		return "", err
	}
	if b.Source == "" {
		b.report("fetch", 0, 0)
		if err := fetch(ctx, cache); err != nil {
			return "", fmt.Errorf("fetch Debian's package linux-source-%s: %w\n(--source TARBALL takes a kernel tree from a file instead)", Series, err)
		}
	}
	path, ok, err := b.Lookup() // somebody else may have built it meanwhile
	if ok || err != nil {
		return path, err
	}
	dir, err := os.MkdirTemp(cache, "building-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	log := filepath.Join(cache, filepath.Base(filepath.Dir(path))+".log")
	if err := b.build(ctx, cache, dir, log); err != nil {
		return "", err
	}
	if err := b.keep(dir, filepath.Dir(path)); err != nil {
		return "", err
	}
	return path, os.Rename(log, filepath.Join(filepath.Dir(path), "build.log"))
}

// keep moves what is worth keeping to its place, as a whole.
func (b *Builder) keep(dir, to string) error {
	out := filepath.Join(dir, "result")
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	for from, name := range map[string]string{"linux": "linux", ".config": "config"} {
		if err := os.Rename(filepath.Join(dir, "out", from), filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return os.Rename(out, to)
}

// sweep removes what builds have left that were killed: while the lock is held
// none is running.
func sweep(cache string) error {
	for _, pattern := range []string{"building-*", "fetching-*"} {
		left, err := filepath.Glob(filepath.Join(cache, pattern))
		if err != nil {
			return err
		}
		for _, dir := range left {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// lock keeps two builds from fetching and unpacking at once.
func lock(ctx context.Context, cache string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-time.After(200 * time.Millisecond): // another process builds
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

func (b *Builder) report(step string, percent int, left time.Duration) {
	if b.Progress != nil {
		b.Progress(Progress{step, percent, left})
	}
}

func (b *Builder) jobs() int {
	if b.Jobs > 0 {
		return b.Jobs
	}
	return runtime.NumCPU()
}

// config is the configuration that the fragments ask for, in one.
func (b *Builder) config() (string, error) {
	list, err := b.fragments()
	if err != nil {
		return "", err
	}
	var s strings.Builder
	for _, f := range list {
		s.Write(f.text)
		s.WriteByte('\n')
	}
	return s.String(), nil
}

// Unmet lists what a fragment asked for (CONFIG_X=y or =m) and the kernel's
// final configuration does not have.
func Unmet(fragment, config string) []string {
	wanted := make(map[string]string)
	var order []string
	for _, line := range strings.Split(fragment, "\n") {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(name, "CONFIG_") {
			continue
		}
		if _, seen := wanted[name]; !seen {
			order = append(order, name)
		}
		wanted[name] = value // the last one counts
	}
	has := make(map[string]string)
	for _, line := range strings.Split(config, "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			has[name] = value
		}
	}
	var unmet []string
	for _, name := range order {
		if want := wanted[name]; want != "n" && has[name] != want && !(want == "m" && has[name] == "y") {
			unmet = append(unmet, name+"="+want)
		}
	}
	return unmet
}
