// Package kernel builds guest kernels from Debian's kernel source, or from any
// kernel tree, and caches them under a hash of all that goes into them.
package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"backplane/guest/build"

	"go.uber.org/zap"
)

// Flavour is a kind of guest kernel.
type Flavour string

// The flavours: each excludes what the other is for.
const (
	Virtual Flavour = "virtual" // time travel or host time, one CPU
	SMP     Flavour = "smp"     // host time, up to 256 CPUs
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
	// Flavour is what it is for. Where the source has no SMP, that is built as Virtual.
	Flavour Flavour
	Recipe
	// Nearest, if set, finds the known word that was probably meant by one that is
	// not known, or nothing.
	Nearest func(word string, known []string) string
	// Progress, if set, is told how far the build is.
	Progress func(Progress)
	// Note, if set, is told what the kernel that is being built has to do without.
	Note func(text string)
	// Log, if set, is told of builds, for programs.
	Log *zap.Logger
	// Jobs is how many compilers run at once; all CPUs if it is 0.
	Jobs int
	// Cache is the folder for kernels and sources; if empty, backplane/kernel
	// in the user's cache folder.
	Cache string
}

// Recipe is what a board wants of its kernel; the zero value wants Backplane's own.
type Recipe struct {
	// Source is a tarball, a folder with a kernel tree or a git repository; empty for
	// Debian's package.
	Source string
	// Revision is that of the git repository; if it is empty, the folder is taken as
	// it stands.
	Revision string
	Config   []Fragment // further configuration
	Patches  []Fragment // applied after Backplane's own
	Debug    []string   // of [DebugMeans]
}

// Image is a kernel that was built.
type Image struct {
	Path  string
	Facts // of its source
	// Shadow is the address space that its KASAN maps at its start, in bytes, of which it
	// touches an eighth of the board's memory (Linux arch/um/include/asm/kasan.h).
	Shadow uint64
}

// shadow is that of any kernel with KASAN.
const shadow = 16 << 40

// Fragment is a file that makes a kernel: a piece of configuration, or a patch.
type Fragment struct {
	File string // what messages call it
	Text []byte
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
	return build.Cache("kernel")
}

// key is the hash of all that makes a kernel: what it is built from has the
// name source.
func (b *Builder) key(source string, f Facts) (string, error) {
	parts, err := b.fragments(f)
	if err != nil {
		return "", err
	}
	return b.hash(source, f, parts)
}

// treeKey is the hash of all that makes a patched tree.
func (b *Builder) treeKey(source string, f Facts) (string, error) {
	return b.hash(source, f, []fragment{{name: "without", text: []byte(strings.Join(unused, " "))}})
}

func (b *Builder) hash(source string, f Facts, parts []fragment) (string, error) {
	p, err := b.patches(f)
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

// Lookup finds the kernel in the cache.
func (b *Builder) Lookup() (image Image, ok bool, err error) {
	cache, err := b.cache()
	if err != nil {
		return Image{}, false, err
	}
	source, err := b.source(cache)
	if err != nil || source == "" {
		return Image{}, false, err
	}
	if image.Facts, err = b.facts(cache, source); err != nil {
		return Image{}, false, err
	}
	key, err := b.key(source, image.Facts)
	if err != nil {
		return Image{}, false, err
	}
	image.Path = filepath.Join(cache, key, "linux")
	if info, err := os.Stat(image.Path); err != nil || !info.Mode().IsRegular() {
		return image, false, nil
	}
	if len(b.Debug) == 0 && len(b.Config) == 0 {
		return image, true, nil
	}
	config, err := os.ReadFile(filepath.Join(cache, key, "config"))
	if settings(string(config))["KASAN"] == "y" {
		image.Shadow = shadow
	}
	return image, err == nil, err
}

// Build returns the kernel from the cache, and builds it first if it is not
// there. What fails, is interrupted or is killed leaves nothing but its log, and
// the source. What is wrong in the configuration is [Problems].
func (b *Builder) Build(ctx context.Context) (image Image, err error) {
	if image, ok, err := b.Lookup(); ok || err != nil {
		if ok {
			b.log().Debug("found", zap.String("kernel", image.Path))
		}
		return image, err
	}
	defer b.logBuild("build", time.Now(), &image.Path, &err)
	cache, err := b.cache()
	if err != nil {
		return Image{}, err
	}
	if _, err := b.config(Facts{SMP: true}); err != nil { // before the source is fetched
		return Image{}, err
	}
	unlock, err := b.begin(ctx, cache)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	image, ok, err := b.Lookup() // another process may have built it meanwhile
	if ok || err != nil {
		return image, err
	}
	if err := b.buildInto(ctx, cache, filepath.Dir(image.Path)); err != nil {
		return Image{}, err
	}
	image, _, err = b.Lookup()
	return image, err
}

// Tree returns the patched kernel tree of the cache, of which kernels and their
// modules are made, and unpacks it first if it is not there.
func (b *Builder) Tree(ctx context.Context) (path string, err error) {
	cache, err := b.cache()
	if err != nil {
		return "", err
	}
	source, err := b.source(cache)
	if err != nil {
		return "", err
	}
	if path, ok, err := b.kept(cache, source); ok || err != nil {
		return path, err
	}
	defer b.logBuild("unpack", time.Now(), &path, &err)
	unlock, err := b.begin(ctx, cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	log := filepath.Join(cache, "tree.log")
	err = b.work(ctx, cache, log, func(r *build.Runner, source string) error {
		facts, err := b.facts(cache, source)
		if err == nil {
			path, err = b.tree(r, cache, source, facts)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return path, os.Remove(log)
}

// begin makes ready for work in the cache, alone: with the source, and nothing
// of works that were killed.
func (b *Builder) begin(ctx context.Context, cache string) (unlock func(), err error) {
	if err := errors.Join(checkTools(), checkPlaces(cache)); err != nil {
		return nil, err
	}
	if unlock, err = build.Begin(ctx, cache); err != nil {
		return nil, fmt.Errorf("cache for kernels: %w", err)
	}
	if b.Source == "" {
		b.step("fetch", 0)
		if err = fetch(ctx, cache); err != nil {
			err = fmt.Errorf("fetch Debian's package linux-source-%s: %w\n(--source TARBALL takes a kernel tree from a file instead)", Series, err)
		}
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// buildInto builds the kernel and moves it to its folder in the cache.
func (b *Builder) buildInto(ctx context.Context, cache, to string) error {
	log := to + ".log"
	err := b.work(ctx, cache, log, func(r *build.Runner, source string) error {
		if err := b.build(r, cache, source); err != nil {
			return err
		}
		return b.keep(r.Dir(), to)
	})
	if err != nil {
		return err
	}
	return os.Rename(log, filepath.Join(to, "build.log"))
}

// work does something in a folder of its own, which then goes.
func (b *Builder) work(ctx context.Context, cache, log string, do func(r *build.Runner, source string) error) error {
	source, err := b.source(cache)
	if err != nil {
		return err
	}
	return build.Do(ctx, cache, log, func(r *build.Runner) error { return do(r, source) })
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
