package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
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
		return fmt.Errorf("a kernel cannot be built in the cache folder %q: a kernel's makefiles take no path with %q in it; XDG_CACHE_HOME can name another", cache, cache[i])
	}
	tmp := os.Getenv("TMPDIR")
	if tmp == "" {
		return nil
	}
	if !filepath.IsAbs(tmp) {
		return fmt.Errorf("a kernel cannot be built with the TMPDIR %q: must be an absolute path, since compilers run in many folders", tmp)
	}
	if info, err := os.Stat(tmp); err != nil || !info.IsDir() {
		return fmt.Errorf("a kernel cannot be built with the TMPDIR %q: it is no folder", tmp)
	}
	return nil
}

// unused is what of a kernel tree no User Mode Linux kernel is made of, and
// which is not unpacked. Kconfig files are needed wherever they are.
var unused = []string{
	"--exclude=*/drivers/gpu/*.[ch]", "--exclude=*/drivers/net/ethernet/*.[ch]", "--exclude=*/drivers/net/wireless/*.[ch]",
	"--exclude=*/drivers/media/*.[ch]", "--exclude=*/drivers/scsi/*.[ch]", "--exclude=*/sound/*.[ch]",
	"--exclude=*/Documentation/*.rst", "--exclude=*/Documentation/*.yaml", "--exclude=*/arch/*/boot/dts/*",
	"--exclude=*/tools/testing/*",
}

// build configures and compiles the tree in the work's folder. The kernel is
// then dir/out/linux.
func (b *Builder) build(r *runner, cache, source string) error {
	tree, err := b.tree(r, cache, source)
	if err != nil {
		return err
	}
	b.report("configure", 5, 0)
	if err := b.configure(r, tree); err != nil {
		return err
	}
	return b.compile(r, tree)
}

// kept is where the patched tree of that source is kept, and whether it is there.
func kept(cache, source string) (path string, ok bool, err error) {
	key, err := treeKey(source)
	if err != nil {
		return "", false, err
	}
	path = filepath.Join(cache, "tree-"+key)
	_, err = os.Stat(path)
	return path, err == nil, nil
}

// tree finds the patched kernel tree, which is kept in the cache for the next
// build; it is unpacked and patched first if it is not there.
func (b *Builder) tree(r *runner, cache, source string) (string, error) {
	path, ok, err := kept(cache, source)
	if ok || err != nil {
		return path, err
	}
	b.report("unpack", 2, 0)
	if err := b.unpack(r, cache); err != nil {
		return "", err
	}
	list, err := patches()
	if err != nil {
		return "", err
	}
	for _, p := range list {
		r.stdin = strings.NewReader(string(p.text))
		if err := r.run("patch", "-p1", "-d", "src"); err != nil {
			return "", fmt.Errorf("%s does not apply: %w", p.name, err)
		}
	}
	old, err := filepath.Glob(filepath.Join(cache, "tree-*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	return path, os.Rename(filepath.Join(r.work.dir, "src"), path)
}

// unpack makes src, the plain tree.
func (b *Builder) unpack(r *runner, cache string) (err error) {
	tarball := b.Source
	if tarball == "" {
		deb, _ := cachedPackage(cache)
		if err := r.run("dpkg-deb", "-x", deb, "deb"); err != nil {
			return err
		}
		tarball = filepath.Join(r.work.dir, "deb/usr/src/linux-source-"+Series+".tar.xz")
	} else if tarball, err = filepath.Abs(tarball); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(r.work.dir, "src"), 0o755); err != nil {
		return err
	}
	if err := r.run("tar", append([]string{"-xf", tarball, "-C", "src", "--strip-components=1"}, unused...)...); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(r.work.dir, "src/arch/um")); err != nil {
		return fmt.Errorf("%s is no kernel tree: it has no arch/um", tarball)
	}
	return nil
}

// make builds a target of a tree.
func (b *Builder) make(r *runner, tree string, args ...string) error {
	return r.run("make", append([]string{"-C", tree, "ARCH=um", "O=" + filepath.Join(r.work.dir, "out"),
		"KBUILD_BUILD_TIMESTAMP=@0", "KBUILD_BUILD_USER=backplane", "KBUILD_BUILD_HOST=backplane"}, args...)...)
}

// configure makes out/.config, and refuses options that cannot be had.
func (b *Builder) configure(r *runner, tree string) error {
	known, err := readKconfig(tree)
	if err != nil {
		return err
	}
	c, err := b.config()
	if err != nil {
		return err
	}
	if problems := c.unknown(known, b.Nearest); len(problems) > 0 {
		return problems
	}
	c.displace(known)
	if err := os.Mkdir(filepath.Join(r.work.dir, "out"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.work.dir, "fragment"), []byte(c.String()), 0o644); err != nil {
		return err
	}
	if err := b.make(r, tree, "-s", "tinyconfig"); err != nil {
		return err
	}
	if err := r.run(filepath.Join(tree, "scripts/kconfig/merge_config.sh"), "-m", "-O", "out", "out/.config", "fragment"); err != nil {
		return err
	}
	if err := b.make(r, tree, "-s", "olddefconfig"); err != nil {
		return err
	}
	has, err := os.ReadFile(filepath.Join(r.work.dir, "out/.config"))
	if err != nil {
		return err
	}
	if problems := c.unmet(string(has), known); len(problems) > 0 {
		return problems
	}
	return nil
}

// objects is about how many files a build compiles: what progress is measured by.
var objects = map[Flavour]int{Virtual: 1195, SMP: 1210}

// compile builds the kernel. How long it still takes is not said before some
// files have been compiled: what comes before them is not like them.
func (b *Builder) compile(r *runner, tree string) error {
	total, done := objects[b.Flavour], 0
	var begin time.Time
	r.line = func(line string) {
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
	defer func() { r.line = nil }()
	return b.make(r, tree, fmt.Sprintf("-j%d", b.jobs()), "linux")
}

// settled is how many files are compiled before time is measured.
const settled = 20

var compiled = regexp.MustCompile(`^\s+(CC|AS)\s`)
