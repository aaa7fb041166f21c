package rootfs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/guest/rootfs"

	"github.com/google/go-cmp/cmp"
)

// unpack has cpio, a real reader, unpack an archive.
func unpack(t *testing.T, archive []byte) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-idmu", "--quiet", "--no-absolute-filenames")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	return dir
}

// pack packs layers and files.
func pack(t *testing.T, layers []string, files ...rootfs.File) (archive []byte, p *rootfs.Packer, err error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p = rootfs.NewPacker(f)
	for _, l := range layers {
		if err := p.Layer(l); err != nil {
			return nil, p, err
		}
	}
	for _, file := range files {
		if err := p.Add(file); err != nil {
			return nil, p, err
		}
	}
	if err := p.Close(); err != nil {
		return nil, p, err
	}
	archive, err = os.ReadFile(f.Name())
	return archive, p, err
}

func mustPack(t *testing.T, layers []string, files ...rootfs.File) []byte {
	t.Helper()
	archive, _, err := pack(t, layers, files...)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPackFolderAndFiles(t *testing.T) {
	src := t.TempDir()
	for name, text := range map[string]string{"bin/tool": "#!/bin/sh\n", "etc/conf": "one", "empty": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(src, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("tool", filepath.Join(src, "bin/link")); err != nil {
		t.Fatal(err)
	}
	got := unpack(t, mustPack(t, []string{src}, rootfs.File{Path: "/init", Mode: 0o755, Data: []byte("I")}, rootfs.File{Path: "/a/b/c", Mode: 0o600, Data: []byte("deep")},
		rootfs.File{Path: "/host", Mode: 0o755, Host: filepath.Join(src, "bin/tool")}))
	for name, want := range map[string]string{"host": "#!/bin/sh\n", "bin/tool": "#!/bin/sh\n", "bin/link": "#!/bin/sh\n", "etc/conf": "one", "empty": "", "init": "I", "a/b/c": "deep"} {
		if text := read(t, filepath.Join(got, name)); text != want {
			t.Errorf("%s holds %q, want %q", name, text, want)
		}
	}
	if info, err := os.Stat(filepath.Join(got, "a/b/c")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a/b/c: %v, %v, want mode 600", info.Mode(), err)
	}
	for _, host := range []string{src, filepath.Join(src, "missing")} {
		if err := rootfs.NewPacker(nowhere{}).Add(rootfs.File{Path: "/host", Host: host}); err == nil || !strings.Contains(err.Error(), host) {
			t.Errorf("packing the file %s: %v", host, err)
		}
	}
}

func TestPackArchives(t *testing.T) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./usr/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./usr/prog", Typeflag: tar.TypeReg, Mode: 0o755, Size: 4},
		{Name: "./usr/alias", Typeflag: tar.TypeSymlink, Linkname: "prog"},
		{Name: "../escape", Typeflag: tar.TypeReg, Mode: 0o644, Size: 4},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte("data"))
		}
	}
	_ = w.Close()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(plain.Bytes())
	_ = z.Close()

	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.tar.gz"), filepath.Join(dir, "b.cpio")
	if err := os.WriteFile(first, zipped.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	over := mustPack(t, nil, rootfs.File{Path: "/usr/prog", Mode: 0o755, Data: []byte("newer")})
	if err := os.WriteFile(second, over, 0o644); err != nil {
		t.Fatal(err)
	}
	got := unpack(t, mustPack(t, []string{first}))
	for name, want := range map[string]string{"usr/prog": "data", "usr/alias": "data", "escape": "data"} {
		if text := read(t, filepath.Join(got, name)); text != want {
			t.Errorf("%s holds %q, want %q", name, text, want)
		}
	}
	got = unpack(t, mustPack(t, []string{first, second}))
	for name, want := range map[string]string{"usr/prog": "newer", "usr/alias": "newer", "escape": "data"} {
		if text := read(t, filepath.Join(got, name)); text != want {
			t.Errorf("with the second layer %s holds %q, want %q", name, text, want)
		}
	}
}

func TestPackWhatCannotBe(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte(strings.Repeat("junk", 400)), 0o644); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, name := range []string{junk, short, filepath.Join(t.TempDir(), "missing")} {
		_, _, err := pack(t, []string{name})
		if err == nil {
			t.Fatalf("%s was packed", name)
		}
		got[filepath.Base(name)] = strings.ReplaceAll(err.Error(), filepath.Dir(name), "")
	}
	want := map[string]string{
		"junk":    "pack /junk: is neither a tar nor a cpio archive",
		"short":   "pack /short: is neither a tar nor a cpio archive: too short",
		"missing": "pack /missing: stat /missing: no such file or directory",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
