package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"backplane/guest/build"
)

// unused is what of a kernel tree no User Mode Linux kernel is made of, and
// which is not unpacked. Kconfig files are needed wherever they are; of the kernel's own
// tests those of ttys are run on boards.
var unused = []string{
	"--exclude=*/drivers/gpu/*.[ch]", "--exclude=*/drivers/net/ethernet/*.[ch]", "--exclude=*/drivers/net/wireless/*.[ch]",
	"--exclude=*/drivers/media/*.[ch]", "--exclude=*/drivers/scsi/*.[ch]", "--exclude=*/sound/*.[ch]",
	"--exclude=*/Documentation/*.rst", "--exclude=*/Documentation/*.yaml", "--exclude=*/arch/*/boot/dts/*",
	"--exclude=*/tools/testing/[!s]*", "--exclude=*/tools/testing/s[!e]*",
	"--exclude=*/tools/testing/selftests/[!t]*/*", "--exclude=*/tools/testing/selftests/t[!t]*/*",
}

// made is what compilers and git leave in a folder with a tree.
var made = []string{"--exclude=./.git", "--exclude=*.o", "--exclude=*.ko", "--exclude=*.cmd", "--exclude=./.config", "--exclude=./include/config",
	"--exclude=./include/generated", "--exclude=./arch/*/include/generated"}

// kept is where the patched tree of that source is kept, and whether it is there.
func (b *Builder) kept(cache, source string) (path string, ok bool, err error) {
	facts, err := b.facts(cache, source)
	if err != nil {
		return "", false, err
	}
	key, err := b.treeKey(source, facts)
	if err != nil {
		return "", false, err
	}
	path = filepath.Join(cache, "tree-"+key)
	_, err = os.Stat(path)
	return path, err == nil, nil
}

// tree finds the patched kernel tree, which is kept in the cache for the next
// build; it is unpacked and patched first if it is not there.
func (b *Builder) tree(r *build.Runner, cache, source string, facts Facts) (string, error) {
	path, ok, err := b.kept(cache, source)
	if err != nil {
		return "", err
	}
	if ok {
		return path, used(path)
	}
	b.step("unpack", 2)
	if err := b.unpack(r, cache); err != nil {
		return "", err
	}
	list, err := b.patches(facts)
	if err != nil {
		return "", err
	}
	for _, p := range list {
		r.Stdin = bytes.NewReader(p.text)
		if err := r.Run("patch", "-p1", "-d", "src"); err != nil {
			return "", fmt.Errorf("%s does not apply to kernel %s: %w", p.file, facts.Version, err)
		}
	}
	if err := makeRoom(cache); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(r.Dir(), "src"), path); err != nil {
		return "", err
	}
	return path, used(path)
}

// used marks a tree as used now.
func used(tree string) error {
	now := time.Now()
	return os.Chtimes(tree, now, now)
}

// mostTrees is how many patched trees are kept: those of an appliance whose boards have
// kernels of their own.
const mostTrees = 3

// makeRoom removes the trees that have not been used for longest, so that there is room
// for another.
func makeRoom(cache string) error {
	trees, err := filepath.Glob(filepath.Join(cache, "tree-*"))
	if err != nil {
		return err
	}
	last := make(map[string]time.Time)
	for _, dir := range trees {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		last[dir] = info.ModTime()
	}
	slices.SortFunc(trees, func(a, b string) int { return last[b].Compare(last[a]) })
	for _, dir := range trees[min(mostTrees-1, len(trees)):] {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// tarball is the source as a tarball.
func (b *Builder) tarball(r *build.Runner, cache string) (string, error) {
	if b.Source == "" {
		deb, _ := cachedPackage(cache)
		return filepath.Join(r.Dir(), "deb/usr/src/linux-source-"+Series+".tar.xz"), r.Run("dpkg-deb", "-x", deb, "deb")
	}
	source, err := filepath.Abs(b.Source)
	if err != nil {
		return "", err
	}
	kind, err := KindOf(source, b.Revision)
	if err != nil {
		return "", fmt.Errorf("kernel source: %s: %w", source, err)
	}
	own := filepath.Join(r.Dir(), "src.tar")
	switch kind {
	case Folder:
		return own, r.Run("tar", slices.Concat([]string{"-cf", own, "-C", source}, made, unused, []string{"."})...)
	case Revision:
		return own, r.Run("git", "-C", source, "archive", "--prefix=linux/", "-o", own, b.Revision)
	}
	return source, nil
}

// unpack makes src, the plain tree.
func (b *Builder) unpack(r *build.Runner, cache string) error {
	tarball, err := b.tarball(r, cache)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(r.Dir(), "src"), 0o755); err != nil {
		return err
	}
	if err := r.Run("tar", append([]string{"-xf", tarball, "-C", "src", "--strip-components=1"}, unused...)...); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(r.Dir(), "src/arch/um")); err != nil {
		return fmt.Errorf("%s is not a kernel tree: it has no arch/um", tarball)
	}
	return os.RemoveAll(filepath.Join(r.Dir(), "src.tar"))
}
