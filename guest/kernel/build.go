package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"backplane/guest/build"
)

// checkTools says which programs a build needs and this machine lacks.
func checkTools() error {
	var missing []string
	for tool, pkg := range map[string]string{"gcc": "gcc", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "patch": "patch",
		"tar": "tar", "xz": "xz-utils"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("a kernel cannot be built here: as root, apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// checkPlaces refuses folders in which kernels cannot be built: their makefiles
// take no path with a space or a colon, and compilers, which run in many
// folders, keep their temporary files in TMPDIR.
func checkPlaces(cache string) error {
	if i := strings.IndexAny(cache, " \t\n:#$%'\"\\;&|<>()*?[]`"); i >= 0 {
		return fmt.Errorf("a kernel cannot be built in the cache folder %q: the kernel's makefiles do not take %q in a path; set XDG_CACHE_HOME to another folder", cache, cache[i])
	}
	tmp := os.Getenv("TMPDIR")
	if tmp == "" {
		return nil
	}
	if !filepath.IsAbs(tmp) {
		return fmt.Errorf("a kernel cannot be built with the TMPDIR %q: must be an absolute path, since compilers run in many folders", tmp)
	}
	if info, err := os.Stat(tmp); err != nil || !info.IsDir() {
		return fmt.Errorf("a kernel cannot be built with the TMPDIR %q: it is not a folder", tmp)
	}
	return nil
}

// build configures and compiles the tree in the work's folder. The kernel is
// then dir/out/linux.
func (b *Builder) build(r *build.Runner, cache, source string) error {
	facts, err := b.facts(cache, source)
	if err != nil {
		return err
	}
	tree, err := b.tree(r, cache, source, facts)
	if err != nil {
		return err
	}
	b.step("configure", 5)
	if err := b.configure(r, tree, facts); err != nil {
		return err
	}
	return b.compile(r, tree)
}

// make builds a target of a tree.
func (b *Builder) make(r *build.Runner, tree string, args ...string) error {
	return r.Run("make", append([]string{"-C", tree, "ARCH=um", "O=" + filepath.Join(r.Dir(), "out"),
		"KBUILD_BUILD_TIMESTAMP=@0", "KBUILD_BUILD_USER=backplane", "KBUILD_BUILD_HOST=backplane"}, args...)...)
}

// configure makes out/.config, and refuses options that cannot be had.
func (b *Builder) configure(r *build.Runner, tree string, facts Facts) error {
	known, err := readKconfig(tree)
	if err != nil {
		return err
	}
	c, err := b.config(facts)
	if err != nil {
		return err
	}
	var without []string
	if facts.Series() != Series {
		without = c.drop(known)
	}
	if problems := c.unknown(known, b.Nearest); len(problems) > 0 {
		return problems
	}
	c.displace(known)
	if err := os.Mkdir(filepath.Join(r.Dir(), "out"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.Dir(), "fragment"), []byte(c.String()), 0o644); err != nil {
		return err
	}
	if err := b.make(r, tree, "-s", "tinyconfig"); err != nil {
		return err
	}
	if err := r.Run(filepath.Join(tree, "scripts/kconfig/merge_config.sh"), "-m", "-O", "out", "out/.config", "fragment"); err != nil {
		return err
	}
	if err := b.make(r, tree, "-s", "olddefconfig"); err != nil {
		return err
	}
	has, err := os.ReadFile(filepath.Join(r.Dir(), "out/.config"))
	if err != nil {
		return err
	}
	if facts.Series() != Series {
		without = append(without, c.give(string(has))...)
	}
	if problems := c.unmet(string(has), known); len(problems) > 0 {
		return problems
	}
	if b.Note != nil && len(without) > 0 {
		slices.Sort(without)
		b.Note(fmt.Sprintf("kernel %s has no %s", facts.Version, strings.Join(without, ", ")))
	}
	return nil
}

// objects is about how many files a build compiles: what progress is measured by.
var objects = map[Flavour]int{Virtual: 1195, SMP: 1210}

// compile builds the kernel. How long it still takes is not said before some
// files have been compiled: what comes before them is not like them.
func (b *Builder) compile(r *build.Runner, tree string) error {
	b.logStep("compile") // each file is progress
	total, done := objects[b.Flavour], 0
	var begin time.Time
	r.Line = func(line string) {
		if !compiled.MatchString(line) {
			return
		}
		if done++; done == settled {
			begin = time.Now()
		}
		var left time.Duration
		if n := done - settled; n > settled {
			left = time.Since(begin) * time.Duration(max(total-done, 1)) / time.Duration(n)
		}
		b.report("compile", 8+min(done*92/total, 91), left)
	}
	defer func() { r.Line = nil }()
	return b.make(r, tree, fmt.Sprintf("-j%d", b.jobs()), "linux")
}

// settled is how many files are compiled before time is measured.
const settled = 20

var compiled = regexp.MustCompile(`^\s+(CC|AS)\s`)
