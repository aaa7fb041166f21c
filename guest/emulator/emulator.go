// Package emulator builds what runs the programs of other architectures on a board: the user
// mode of Debian's QEMU, patched so that they reach the board's parts, and nothing else of it. It
// is cached under a hash of all that goes into it.
package emulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	emulatorconfig "backplane/firmware/emulator"
	"backplane/guest/build"

	"go.uber.org/zap"
)

// suite is the release of Debian whose QEMU it is: the oldest that does takes the least time
// to build.
const suite = "bookworm"

// Builder builds the emulators of all [Archs] together, which have most of their code in common.
type Builder struct {
	// Progress, if set, is told how far the build is, in percent.
	Progress func(step string, percent int)
	// Log, if set, is told of builds, for programs.
	Log *zap.Logger
	// Jobs is how many compilers run at once; all CPUs if it is 0.
	Jobs int
	// Cache is the folder for emulators and sources; if empty, backplane/emulator in the
	// user's cache folder.
	Cache string
}

// options are those of QEMU's configure: whatever can be left out is.
func options() []string {
	var targets []string
	for _, a := range Archs {
		targets = append(targets, strings.TrimPrefix(a.Program, "qemu-")+"-linux-user")
	}
	return []string{"--static", "--enable-pie", "--without-default-features", "--without-default-devices",
		"--disable-system", "--disable-tools", "--disable-docs", "--disable-guest-agent", "--disable-install-blobs", "--disable-werror",
		"--disable-debug-info", "--disable-plugins", "--disable-stack-protector", "--disable-capstone", "--disable-fdt",
		"--meson=meson", "--target-list=" + strings.Join(targets, ",")}
}

func (b *Builder) cache() (string, error) {
	if b.Cache != "" {
		return b.Cache, nil
	}
	return build.Cache("emulator")
}

// source is the description of QEMU's source in the cache, "" if it is not there.
func source(cache string) string {
	found, err := filepath.Glob(filepath.Join(cache, "qemu_*.dsc"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// place is where emulators of that source are.
func place(cache, source string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %q\n", filepath.Base(source), options())
	list, err := patches()
	for _, p := range list {
		fmt.Fprintf(h, "%d\n", len(p))
		h.Write(p)
	}
	return filepath.Join(cache, hex.EncodeToString(h.Sum(nil))[:24]), err
}

// patches are the texts of Backplane's.
func patches() (list [][]byte, err error) {
	names, err := fs.Glob(emulatorconfig.Patches, "patches/*.patch")
	slices.Sort(names)
	for _, name := range names {
		text, err := fs.ReadFile(emulatorconfig.Patches, name)
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, err
}

// Lookup finds the folder with all emulators, which have the names of [Arch.Program], in the cache.
func (b *Builder) Lookup() (dir string, ok bool, err error) {
	cache, err := b.cache()
	if err != nil {
		return "", false, err
	}
	dsc := source(cache)
	if dsc == "" {
		return "", false, nil
	}
	if dir, err = place(cache, dsc); err != nil {
		return "", false, err
	}
	_, err = os.Stat(dir)
	return dir, err == nil, nil
}

// Build returns that folder, and builds what should be in it first if it is not there. What
// fails, is interrupted or is killed leaves nothing but its log, and the source.
func (b *Builder) Build(ctx context.Context) (dir string, err error) {
	if dir, ok, err := b.Lookup(); ok || err != nil {
		return dir, err
	}
	defer b.log(time.Now(), &dir, &err)
	if err := checkTools(); err != nil {
		return "", err
	}
	cache, err := b.cache()
	if err != nil {
		return "", err
	}
	unlock, err := build.Begin(ctx, cache)
	if err != nil {
		return "", fmt.Errorf("cache for emulators: %w", err)
	}
	defer unlock()
	if source(cache) == "" {
		b.report("fetch", 0)
		if err := fetch(ctx, cache); err != nil {
			return "", fmt.Errorf("fetch the source of Debian's package qemu: %w", err)
		}
	}
	dir, ok, err := b.Lookup() // another process may have built it meanwhile
	if ok || err != nil {
		return dir, err
	}
	log := dir + ".log"
	if err := build.Do(ctx, cache, log, func(r *build.Runner) error { return b.make(r, source(cache), dir) }); err != nil {
		return "", err
	}
	return dir, os.Rename(log, filepath.Join(dir, "build.log"))
}

// fetch gets Debian's source into the cache, its description last.
func fetch(ctx context.Context, cache string) error {
	return build.Fetch(ctx, cache, build.Package{Name: "qemu", Suite: suite, Source: true}, func(dir string) error {
		found, err := filepath.Glob(filepath.Join(dir, "qemu_*"))
		if err != nil {
			return err
		}
		slices.SortStableFunc(found, func(a, b string) int { return order(a) - order(b) })
		for _, file := range found {
			if err := os.Rename(file, filepath.Join(cache, filepath.Base(file))); err != nil {
				return err
			}
		}
		return nil
	})
}

func order(name string) int {
	if filepath.Ext(name) == ".dsc" {
		return 1
	}
	return 0
}

// make builds all of a source, and moves it to its folder.
func (b *Builder) make(r *build.Runner, source, to string) error {
	b.report("unpack", 1)
	if err := r.Run("dpkg-source", "--no-check", "-x", source, "src"); err != nil { // apt has checked it
		return err
	}
	list, err := patches()
	if err != nil {
		return err
	}
	for _, text := range list {
		r.Stdin = strings.NewReader(string(text))
		if err := r.Run("patch", "-p1", "-d", "src"); err != nil {
			return err
		}
	}
	b.report("configure", 3)
	r.In = filepath.Join(r.Dir(), "out")
	if err := os.Mkdir(r.In, 0o755); err != nil {
		return err
	}
	if err := r.Run("../src/configure", options()...); err != nil {
		return err
	}
	if err := b.compile(r); err != nil {
		return err
	}
	return keep(r, to)
}

var compiled = regexp.MustCompile(`^\[(\d+)/(\d+)\] `)

// compile has ninja make the emulators, whose progress it passes on.
func (b *Builder) compile(r *build.Runner) error {
	r.Line = func(line string) {
		m := compiled.FindStringSubmatch(line)
		if m == nil {
			return
		}
		done, err1 := strconv.Atoi(m[1])
		all, err2 := strconv.Atoi(m[2])
		if err1 == nil && err2 == nil && all > 0 {
			b.report("compile", 10+min(done*90/all, 89))
		}
	}
	defer func() { r.Line = nil }()
	jobs := b.Jobs
	if jobs == 0 {
		jobs = runtime.NumCPU()
	}
	args := []string{"-j", strconv.Itoa(jobs)}
	for _, a := range Archs {
		args = append(args, a.Program)
	}
	return r.Run("ninja", args...)
}

// keep moves the emulators to their place, as a whole.
func keep(r *build.Runner, to string) error {
	result := filepath.Join(r.Dir(), "result")
	if err := os.Mkdir(result, 0o755); err != nil {
		return err
	}
	for _, a := range Archs {
		if err := r.Run("strip", "-o", filepath.Join(result, a.Program), a.Program); err != nil {
			return err
		}
	}
	return os.Rename(result, to)
}

// checkTools says which programs a build needs and this machine lacks.
func checkTools() error {
	var missing []string
	for _, t := range [][2]string{{"gcc", "gcc"}, {"ninja", "ninja-build"}, {"meson", "meson"}, {"pkg-config", "pkg-config"},
		{"python3", "python3"}, {"patch", "patch"}, {"dpkg-source", "dpkg-dev"}, {"strip", "binutils"}} {
		if _, err := exec.LookPath(t[0]); err != nil {
			missing = append(missing, t[1])
		}
	}
	if !slices.Contains(missing, "pkg-config") && exec.Command("pkg-config", "--exists", "glib-2.0").Run() != nil {
		missing = append(missing, "libglib2.0-dev")
	}
	if len(missing) > 0 {
		return fmt.Errorf("an emulator cannot be built here: as root, apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

func (b *Builder) report(step string, percent int) {
	if b.Progress != nil {
		b.Progress(step, percent)
	}
}

// log says what came of a build.
func (b *Builder) log(begin time.Time, dir *string, err *error) {
	if b.Log == nil {
		return
	}
	log, took := b.Log.Named("emulator"), zap.Duration("took", time.Since(begin))
	if *err != nil {
		log.Error("build failed", took, zap.Error(*err))
		return
	}
	log.Info("build", zap.String("emulators", *dir), took)
}
