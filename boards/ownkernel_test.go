package boards

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	guestkernel "backplane/guest/kernel"
	"backplane/periph/catalog"
)

// TestOwnKernel looks what is said of tables that describe a board's own kernel.
func TestOwnKernel(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"linux.tar": "", "good.config": "CONFIG_A=y\n", "bad.config": "\nA\n", "fix.patch": "--- a\n",
		"tree/arch/um/Kconfig": "", "bare/HEAD": "", "empty/x": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for kernel, want := range map[string]string{
		"source = \"linux.tar\"\nconfig = [\"good.config\"]\npatches = [\"fix.patch\"]\ndebug = [\"kasan\", \"symbols\"]": "",
		"source = \"tree\"":                        "",
		"source = \"bare\"\nrevision = \"v1\"":     "",
		"source = \"none.tar\"":                    "b.toml:3:1: DIR/none.tar: no such file or directory",
		"source = \"empty\"":                       "b.toml:3:1: DIR/empty: is not a kernel tree: it has no arch/um",
		"source = \"bare\"":                        "b.toml:3:1: DIR/bare: is a bare git repository: it needs a revision",
		"source = \"linux.tar\"\nrevision = \"v\"": "b.toml:3:1: DIR/linux.tar: is a file; only a git repository has a revision",
		"revision = \"v1\"":                        "b.toml:3:1: a revision needs a source",
		"config = [\"good.config\", \"none\"]":     "b.toml:3:26: DIR/none: no such file or directory",
		"config = [\"bad.config\"]":                "DIR/bad.config:2:1: \"A\" is not a line",
		"patches = [\"none.patch\"]":               "b.toml:3:12: DIR/none.patch: no such file or directory",
		"debug = [\"kasan\", \"lockdeb\"]":         "b.toml:3:19: \"lockdeb\" is not a debugging option: did you mean \"lockdep\"?: there are gcov, kasan, kmemleak, lockdep, symbols",
		"debug = [\"kasan\", \"kasan\"]":           "b.toml:3:19: \"kasan\" is listed twice",
		"debugs = []":                              "b.toml:3:1: unknown key \"debugs\": did you mean \"debug\"?",
	} {
		file := filepath.Join(dir, "b.toml")
		if err := os.WriteFile(file, []byte("name = \"b\"\n[firmware.kernel]\n"+kernel+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := LoadIn(nil, file, catalog.All)
		switch {
		case want != "":
			if want = strings.ReplaceAll(want, "DIR", dir); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", kernel, err, want)
			}
		case err != nil:
			t.Errorf("%s: %v", kernel, err)
		default:
			if k, err := a.Kernels(); err != nil || len(k) != 1 || !k[0].Own || !strings.HasPrefix(k[0].Recipe.Source, dir) {
				t.Errorf("%s: %+v, %v", kernel, k, err)
			}
		}
	}
}

// TestKernelTooOld looks whether a source that no board can have is refused where the
// board file names it.
func TestKernelTooOld(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"Makefile": "VERSION = 5\nPATCHLEVEL = 16\nSUBLEVEL = 3\n", "arch/um/Kconfig": "", "arch/um/os-Linux/start_up.c": "",
		"arch/um/drivers/virtio_uml.c": "", "include/uapi/linux/um_timetravel.h": "", "../b.toml": "name = \"b\"\n[firmware.kernel]\ndebug = []\nsource = \"tree\"\n"} {
		path := filepath.Join(dir, "tree", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, err := LoadIn(nil, filepath.Join(dir, "b.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	k, err := a.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&guestkernel.Builder{Flavour: guestkernel.Virtual, Recipe: k[0].Recipe, Cache: t.TempDir()}).Facts()
	want := fmt.Sprintf("%s/b.toml:4:1: %[1]s/tree: is Linux 5.16.3; it must be 5.17 or later", dir)
	if err = k[0].Place(err); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
