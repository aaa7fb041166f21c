package kernel

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	kernelconfig "backplane/firmware/kernel"

	"github.com/google/go-cmp/cmp"
)

// folder unpacks a tarball that [tree] made.
func folder(t *testing.T, tarball string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "tar", "-xf", tarball, "-C", dir, "--strip-components=1")
	return dir
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// patched reads the file that the patch changes, of the tree that is kept.
func patched(t *testing.T, b *Builder) string {
	t.Helper()
	path, err := b.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(path, "arch/um/kernel/x.c"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFolderSource(t *testing.T) {
	dir := folder(t, tree(t, good))
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: dir}, Cache: t.TempDir()}
	first, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := patched(t, &b); text != "good\n" {
		t.Errorf("the tree that is kept has %q", text)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "arch/um/kernel/x.c")); err != nil || string(text) != "broken\n" {
		t.Errorf("the folder itself has become %q, %v", text, err)
	}
	if again, ok, err := b.Lookup(); !ok || err != nil || again != first {
		t.Errorf("the same folder: %v, %t, %v", again, ok, err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "arch/um/kernel/x.c"), later, later); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.Lookup(); ok || err != nil {
		t.Errorf("a folder with a changed file is the same kernel: %t, %v", ok, err)
	}
}

func TestGitSource(t *testing.T) {
	dir := folder(t, tree(t, good))
	run(t, "git", "-C", dir, "init", "-q")
	run(t, "git", "-C", dir, "add", ".")
	run(t, "git", "-C", dir, "commit", "-q", "-m", "one")
	run(t, "git", "-C", dir, "tag", "v1")
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: dir, Revision: "v1"}, Cache: t.TempDir()}
	first, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "arch/um/kernel/x.c"), []byte("not committed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, ok, err := b.Lookup(); !ok || err != nil || again != first {
		t.Errorf("the same revision: %v, %t, %v", again, ok, err)
	}
	b.Revision = "v2"
	if _, err := b.Build(t.Context()); err == nil || !strings.Contains(err.Error(), `has no revision "v2"`) {
		t.Errorf("a revision that is not there: %v", err)
	}
	b.Source, b.Revision = filepath.Join(dir, ".git"), ""
	if _, err := b.Build(t.Context()); err == nil || !strings.Contains(err.Error(), "it needs a revision, such as") {
		t.Errorf("a repository without a revision: %v", err)
	}
}

// TestForeignSeries builds a tree that there are no patches for, and that lacks an option.
func TestForeignSeries(t *testing.T) {
	dir := folder(t, tree(t, good))
	kconfig := strings.ReplaceAll(kconfig(t), "config SENSORS_TMP102\n", "config SENSORS_TMP103\n")
	for name, text := range map[string]string{"Makefile": "VERSION = 7\nPATCHLEVEL = 0\nSUBLEVEL = 1\n" + good, "arch/um/Kconfig": "", "lib/Kconfig.all": kconfig} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var notes []string
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: dir}, Cache: t.TempDir(), Note: func(text string) { notes = append(notes, text) }}
	image, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := patched(t, &b); text != "broken\n" {
		t.Errorf("a tree of another series was patched: %q", text)
	}
	if diff := cmp.Diff([]string{"kernel 7.0.1 has no CONFIG_SENSORS_TMP102"}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	smp := b
	smp.Flavour = SMP
	if other, ok, err := smp.Lookup(); other != image || !ok || err != nil {
		t.Errorf("for several CPUs, which this tree cannot have: %v, %t, %v", other, ok, err)
	}
	facts, err := b.Facts()
	if err != nil {
		t.Fatal(err)
	}
	const kernel = "kernel 7.0.1: "
	want := []string{kernel + "built without patches, since Backplane's are for 6.12, 7.2",
		kernel + "programs run under ptrace(2), which is slower; the walls allow it on the guest's own processes (docs/security.md)",
		kernel + "the board has 1 of its 4 CPUs: its User Mode Linux supports one",
		kernel + "programs do not see the board's topology and caches: each CPU is a core of one socket"}
	if diff := cmp.Diff(want, facts.Losses(Wants{CPUs: 4, Topology: true})); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
	if list := facts.Losses(Wants{CPUs: 1, Virtual: true}); len(list) != 5 || !strings.Contains(list[3], "a run cannot be repeated") {
		t.Errorf("losses in virtual time: %q", list)
	}
	if missing, err := b.Missing(image); err != nil || !slices.Equal(missing, []string{"CONFIG_SENSORS_TMP102"}) {
		t.Errorf("missing options: %q, %v", missing, err)
	}
}

// TestSeries looks whether a tree gets its series' patches, in the order of its list, of
// which the first is another series'.
func TestSeries(t *testing.T) {
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: versioned(t, "6\nPATCHLEVEL = 12")}, Cache: t.TempDir()}
	if text := patched(t, &b); text != "better\n" {
		t.Errorf("the tree has %q", text)
	}
}

// versioned makes a tree of another version.
func versioned(t *testing.T, version string) string {
	dir := folder(t, tree(t, good))
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte("VERSION = "+version+"\n"+good), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFacts looks what is known of a source before it is built, and what is refused.
func TestFacts(t *testing.T) {
	for _, tt := range []struct {
		version, without, want string
		facts                  Facts
	}{
		{version: "7\nPATCHLEVEL = 2", facts: Facts{Version: "7.2", SMP: true, Seccomp: true, Shared: true}},
		{version: "6\nPATCHLEVEL = 12", without: "arch/um/os-Linux/start_up.c", facts: Facts{Version: "6.12", SMP: true, Shared: true}},
		{version: "6\nPATCHLEVEL = 18", facts: Facts{Version: "6.18", SMP: true, Shared: true}}, // without patch 0019 its seccomp mode needs what the walls refuse
		{version: "6\nPATCHLEVEL = 6", without: "include/uapi/linux/um_timetravel.h", facts: Facts{Version: "6.6", SMP: true}},
		{version: "5\nPATCHLEVEL = 16", without: "arch/um/drivers/virtio_uml.c", want: "DIR: is Linux 5.16; it must be 5.17 or later"},
		{version: "", want: "DIR: is not a kernel tree: its Makefile has no VERSION"},
	} {
		dir := versioned(t, tt.version)
		if tt.without != "" {
			if err := os.WriteFile(filepath.Join(dir, tt.without), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b := Builder{Flavour: Virtual, Recipe: Recipe{Source: dir}, Cache: t.TempDir()}
		facts, err := b.Facts()
		if tt.want != "" {
			if want := strings.ReplaceAll(tt.want, "DIR", dir); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("version %q: got %v, want %q", tt.version, err, want)
			}
			continue
		}
		if facts.Shared != (facts.Virtual() == nil) {
			t.Errorf("version %q: of virtual time it says %v", tt.version, facts.Virtual())
		}
		if diff := cmp.Diff(tt.facts, facts); err != nil || diff != "" {
			t.Errorf("version %q: %v (-want +got):\n%s", tt.version, err, diff)
		}
	}
}

func TestBoardPatchAndDebug(t *testing.T) {
	fix := Fragment{"my.patch", []byte("--- a/arch/um/kernel/x.c\n+++ b/arch/um/kernel/x.c\n@@ -1 +1 @@\n-good\n+better\n")}
	plain := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, good)}, Cache: t.TempDir()}
	b := plain
	b.Patches, b.Debug = []Fragment{fix}, []string{"symbols"}
	image, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := patched(t, &b); text != "better\n" {
		t.Errorf("with a patch of the board's after Backplane's: %q", text)
	}
	if text := patched(t, &plain); text != "good\n" {
		t.Errorf("without it: %q", text)
	}
	config, err := os.ReadFile(filepath.Join(filepath.Dir(image.Path), "config"))
	if err != nil || !strings.Contains(string(config), "CONFIG_DEBUG_INFO_DWARF5=y\n") || strings.Contains(string(config), "DEBUG_INFO_NONE") {
		t.Errorf("the configuration has no symbols (%v)", err)
	}
	b.Patches = []Fragment{{"bad.patch", []byte("--- a/arch/um/kernel/x.c\n+++ b/arch/um/kernel/x.c\n@@ -1 +1 @@\n-worse\n+better\n")}}
	if _, err := b.Build(t.Context()); err == nil || !strings.Contains(err.Error(), "bad.patch does not apply to kernel 7.2.99") {
		t.Errorf("a patch that does not apply: %v", err)
	}
}

// TestDebugMeans looks whether the means are those that docs/kernel.md lists.
func TestDebugMeans(t *testing.T) {
	doc, err := os.ReadFile("../../docs/kernel.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := fs.Glob(kernelconfig.Files, "debug/*.config")
	if err != nil {
		t.Fatal(err)
	}
	var means []string
	for _, name := range list {
		name = strings.TrimSuffix(filepath.Base(name), ".config")
		means = append(means, name)
		if !strings.Contains(string(doc), "\n| `"+name+"` |") {
			t.Errorf("docs/kernel.md does not list %s", name)
		}
	}
	if want := []string{"gcov", "kasan", "kmemleak", "lockdep", "symbols"}; !slices.Equal(means, want) {
		t.Errorf("there are %v, want %v", means, want)
	}
}
