package kernel

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	kernelconfig "backplane/firmware/kernel"
	"backplane/guest/build"

	"github.com/google/go-cmp/cmp"
)

// tree makes a tarball with a tree whose Makefile is as given, and in which the
// patch applies.
func tree(t *testing.T, makefile string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	files := map[string]string{"Makefile": "VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 99\n" + makefile, "arch/um/Kconfig": "config SMP\n", "arch/um/kernel/x.c": "broken\n"}
	files["arch/um/os-Linux/start_up.c"], files["arch/um/drivers/virtio_uml.c"] = "__uml_setup(\"seccomp=\", x)\n", "\"virtio,uml\"\n"
	files["include/uapi/linux/um_timetravel.h"] = "struct um_timetravel_schedshm {\n"
	files["scripts/kconfig/merge_config.sh"] = "#!/bin/sh\ncp fragment out/.config\n"
	files["lib/Kconfig.all"] = kconfig(t)
	for name, text := range files {
		name = "linux/" + name
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "linux.tar")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// kconfig describes all options that Backplane asks for, and some more.
func kconfig(t *testing.T) string {
	t.Helper()
	var s strings.Builder
	for _, f := range []Flavour{Virtual, SMP} {
		c, err := (&Builder{Flavour: f}).config(Facts{SMP: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.order {
			if name != "DEBUG_INFO_NONE" {
				fmt.Fprintf(&s, "config %s\n\tbool\n\n", name)
			}
		}
	}
	return s.String() + `
choice
	prompt "Debug information"
config DEBUG_INFO_NONE
	bool "none"
config DEBUG_INFO_DWARF5
	bool "DWARF 5"
endchoice
config DEBUG_KERNEL
	bool
menuconfig KPROBES
	bool "Kprobes"
	depends on MODULES
	depends on HAVE_KPROBES
`
}

// own makes files a tree's own patch beside the real configuration.
func own() error {
	patch := func(from, to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("Subject: mend it\n---\n--- a/arch/um/kernel/x.c\n+++ b/arch/um/kernel/x.c\n@@ -1 +1 @@\n-" + from + "\n+" + to + "\n")}
	}
	own := fstest.MapFS{"patches/7.2/0001-mend-it.patch": patch("broken", "good"),
		"patches/6.12/0001-better.patch": patch("good", "better"), "patches/6.12/series": {Data: []byte("../7.2/0001-mend-it.patch\n0001-better.patch\n")}}
	for _, name := range []string{"common.config", "parts.config", "virtual.config", "smp.config", "debug/symbols.config"} {
		data, err := kernelconfig.Files.ReadFile(name)
		if err != nil {
			return err
		}
		own[name] = &fstest.MapFile{Data: data}
	}
	files = own
	return nil
}

const good = `
tinyconfig olddefconfig:
	touch $(O)/.config
linux:
	@echo '  CC      a.o'
	echo kernel > $(O)/linux
`

func TestBuildOnce(t *testing.T) {
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, good)}, Cache: t.TempDir()}
	var steps []string
	b.Progress = func(p Progress) {
		if p.Percent < 0 || p.Percent > 100 {
			t.Errorf("progress of %d %%", p.Percent)
		}
		if len(steps) == 0 || steps[len(steps)-1] != p.Step {
			steps = append(steps, p.Step)
		}
	}
	if _, ok, err := b.Lookup(); ok || err != nil {
		t.Fatalf("before it was built: %t, %v", ok, err)
	}
	image, err := b.Build(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unpack", "configure", "compile"}, steps); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if trees, err := filepath.Glob(filepath.Join(b.Cache, "tree-*/arch/um/kernel/x.c")); err != nil || len(trees) != 1 {
		t.Errorf("trees kept: %v, %v", trees, err)
	} else if text, err := os.ReadFile(trees[0]); err != nil || string(text) != "good\n" {
		t.Errorf("the tree is not patched: %q, %v", text, err)
	}
	if text, err := os.ReadFile(image.Path); err != nil || string(text) != "kernel\n" {
		t.Errorf("the kernel is %q, %v", text, err)
	}
	if diff := cmp.Diff([]string{"build.log", "config", "linux"}, names(t, filepath.Dir(image.Path))); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	steps = nil
	again, err := b.Build(context.Background())
	if again != image || err != nil || len(steps) > 0 {
		t.Errorf("a second build: %v, %v, %v", again, err, steps)
	}
	for what, other := range map[string]Builder{
		"another flavour": {Flavour: SMP, Recipe: b.Recipe, Cache: b.Cache},
		"more options":    {Flavour: Virtual, Recipe: Recipe{Source: b.Source, Config: []Fragment{{"x", []byte("CONFIG_KPROBES=y\n")}}}, Cache: b.Cache},
	} {
		if _, ok, err := other.Lookup(); ok || err != nil {
			t.Errorf("%s is the same kernel: %t, %v", what, ok, err)
		}
		steps = nil
		other.Progress = b.Progress
		if _, err := other.Build(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"configure", "compile"}, steps); diff != "" {
			t.Errorf("%s, of the tree that is kept (-want +got):\n%s", what, diff)
		}
	}
}

// TestTree: a kept tree that was removed is made again although the kernel is there.
func TestTree(t *testing.T) {
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, good)}, Cache: t.TempDir()}
	if _, err := b.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := 0
	b.Progress = func(p Progress) {
		if p.Step == "unpack" {
			made++
		}
	}
	first, err := b.Tree(t.Context())
	if err != nil || made != 0 {
		t.Fatalf("the tree that is kept: %v, and made %d times", err, made)
	}
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		path, err := b.Tree(t.Context())
		if err != nil || path != first || made != 1 {
			t.Errorf("%s, %v, made %d times; want %s, made once", path, err, made, first)
		}
	}
	if text, err := os.ReadFile(filepath.Join(first, "arch/um/kernel/x.c")); err != nil || string(text) != "good\n" {
		t.Errorf("the tree is not patched: %q, %v", text, err)
	}
	if logs, err := filepath.Glob(filepath.Join(b.Cache, "*.log")); err != nil || len(logs) > 0 {
		t.Errorf("left behind: %v, %v", logs, err)
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// nothingLeft looks whether a build that did not succeed has left anything but
// its log and the tree.
func nothingLeft(t *testing.T, cache string) {
	t.Helper()
	for _, n := range names(t, cache) {
		if n != "lock" && !strings.HasSuffix(n, ".log") && !strings.HasPrefix(n, "tree-") && !strings.HasPrefix(n, "facts-") {
			t.Errorf("left behind: %s", n)
		}
	}
}

func TestBuildFails(t *testing.T) {
	tests := []struct{ name, makefile, want string }{
		{"compiler", strings.Replace(good, "echo kernel > $(O)/linux", "echo 'a.c:1: error: no'; false", 1), "a.c:1: error: no"},
		{"configuration", "tinyconfig:\n\ttouch $(O)/.config\nolddefconfig:\n\techo > $(O)/.config\n", "common.config:6:1: CONFIG_64BIT=y is set by Backplane, and conflicts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, tt.makefile)}, Cache: t.TempDir()}
			_, err := b.Build(context.Background())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q in it", err, tt.want)
			}
			var step *build.StepError
			if errors.As(err, &step) {
				if log, e := os.ReadFile(step.Log); e != nil || !strings.Contains(string(log), tt.want) {
					t.Errorf("the log that it names holds %q, %v", log, e)
				}
			}
			nothingLeft(t, b.Cache)
		})
	}
}

func TestBuildInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, strings.Replace(good, "echo kernel > $(O)/linux", "sleep 1000", 1))}, Cache: t.TempDir()}
	b.Progress = func(p Progress) {
		if p.Step == "compile" {
			cancel()
		}
	}
	if _, err := b.Build(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted build: %v", err)
	}
	nothingLeft(t, b.Cache)
}

func TestSourceIsNoTree(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(file, []byte("no tarball"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: file}, Cache: t.TempDir()}
	if _, err := b.Build(context.Background()); err == nil || !strings.Contains(err.Error(), "tar: ") {
		t.Errorf("got %v, want what tar says", err)
	}
	b.Source = "/nowhere.tar"
	if _, err := b.Build(context.Background()); err == nil || !strings.Contains(err.Error(), "kernel source: /nowhere.tar: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

// TestPatchesAreListed looks whether docs/kernel.md has each patch.
func TestPatchesAreListed(t *testing.T) {
	list, err := fs.Glob(kernelconfig.Files, "patches/*/*.patch")
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	doc, err := os.ReadFile("../../docs/kernel.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if number, _, _ := strings.Cut(filepath.Base(p), "-"); !strings.Contains(string(doc), "\n| "+number+" ") {
			t.Errorf("docs/kernel.md does not list %s", p)
		}
	}
}
