package rootfs_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/guest/rootfs"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
)

// tree makes a folder: a text that begins with -> is a symbolic link, a name that
// ends with / an empty folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else if to, ok := strings.CutPrefix(text, "->"); err == nil && ok {
			err = os.Symlink(to, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// makeTar has a real tar pack a folder.
func makeTar(t *testing.T, dir string, options ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layer.tar")
	if out, err := exec.Command("tar", append(options, "-C", dir, "-cf", file, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	return file
}

// makeCPIO has a real cpio pack a folder, hard links as such.
func makeCPIO(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layer.cpio")
	cmd := exec.Command("sh", "-c", `find . | sort | cpio -o -H newc --quiet > "$0"`, file)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	return file
}

// TestLayersOverLinks lays a project's folder over a base whose folders are symbolic
// links, as where /usr is merged: each kind of layer goes where the links lead.
func TestLayersOverLinks(t *testing.T) {
	base := tree(t, map[string]string{"usr/bin/tool": "tool", "bin": "->usr/bin", "var/run": "->/run", "run/": "", "opt": "->nowhere"})
	over := tree(t, map[string]string{"bin/app": "app", "var/run/app/pid": "1", "usr/bin/more": "more"})
	want := map[string]string{"bin/tool": "tool", "bin/app": "app", "usr/bin/app": "app", "run/app/pid": "1", "bin/more": "more"}
	for name, layer := range map[string]string{"folder": over, "tar": makeTar(t, over), "cpio": makeCPIO(t, over)} {
		t.Run(name, func(t *testing.T) {
			got := unpack(t, mustPack(t, []string{base, layer}))
			for file, text := range want {
				if file = strings.Replace(file, "var/run", "run", 1); read(t, filepath.Join(got, file)) != text {
					t.Errorf("%s does not hold %q", file, text)
				}
			}
			for _, link := range []string{"bin", "var/run"} {
				if info, err := os.Lstat(filepath.Join(got, link)); err != nil || info.Mode()&os.ModeSymlink == 0 {
					t.Errorf("%s is no link any more: %v, %v", link, info, err)
				}
			}
		})
	}
}

// TestFoldersKeepTheirModes lays a folder and files over folders with modes of their own.
func TestFoldersKeepTheirModes(t *testing.T) {
	base := tree(t, map[string]string{"tmp/": "", "root/": "", "etc/conf": "x"})
	for name, mode := range map[string]uint32{"tmp": 0o1777, "root": 0o700} {
		if err := unix.Chmod(filepath.Join(base, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	over := tree(t, map[string]string{"tmp/a": "a", "root/b": "b"})
	got := unpack(t, mustPack(t, []string{makeTar(t, base), over}, rootfs.File{Path: "/root/deep/file", Mode: 0o644}))
	for name, want := range map[string]uint32{"tmp": 0o1777, "root": 0o700, "root/deep": 0o755} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(got, name), &st); err != nil || st.Mode&0o7777 != want {
			t.Errorf("%s has mode %o (%v), want %o", name, st.Mode&0o7777, err, want)
		}
	}
}

// TestEveryKindOfTarEntry packs what real tars hold: sparse files in GNU's and POSIX's
// format, hard links, long names.
func TestEveryKindOfTarEntry(t *testing.T) {
	long := strings.Repeat("long/", 30) + "name"
	dir := tree(t, map[string]string{"file": "data", long: "far"})
	sparse := filepath.Join(dir, "sparse")
	f, err := os.Create(sparse)
	if err == nil {
		if err = f.Truncate(1 << 20); err == nil {
			_, err = f.WriteAt([]byte("x"), 500_000)
		}
		f.Close()
	}
	if err == nil {
		err = os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "other"))
	}
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, sparse)
	for name, layer := range map[string]string{
		"gnu": makeTar(t, dir, "-S", "--format=gnu"), "pax": makeTar(t, dir, "-S", "--format=posix"),
		"ustar": makeTar(t, dir, "--format=ustar"), "cpio": makeCPIO(t, dir),
	} {
		t.Run(name, func(t *testing.T) {
			got := unpack(t, mustPack(t, []string{layer}))
			if read(t, filepath.Join(got, "sparse")) != want {
				t.Error("the sparse file is not what it was")
			}
			if read(t, filepath.Join(got, long)) != "far" || read(t, filepath.Join(got, "other")) != "data" {
				t.Error("a file is not what it was")
			}
			var one, other unix.Stat_t
			if unix.Stat(filepath.Join(got, "file"), &one) != nil || unix.Stat(filepath.Join(got, "other"), &other) != nil || one.Ino != other.Ino {
				t.Error("the hard link is a file of its own")
			}
		})
	}
}

// TestReplacedLink replaces one of a file's two names: the other keeps what it was.
func TestReplacedLink(t *testing.T) {
	base := tree(t, map[string]string{"a": "old"})
	if err := os.Link(filepath.Join(base, "a"), filepath.Join(base, "b")); err != nil {
		t.Fatal(err)
	}
	got := unpack(t, mustPack(t, []string{makeTar(t, base), tree(t, map[string]string{"a": "new"})}))
	if a, b := read(t, filepath.Join(got, "a")), read(t, filepath.Join(got, "b")); a != "new" || b != "old" {
		t.Errorf("a holds %q and b %q", a, b)
	}
}

// writeTar writes a tar of headers alone.
func writeTar(t *testing.T, headers ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range headers {
		if err := w.WriteHeader(&headers[i]); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "made.tar")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// cut writes a part of a file.
func cut(t *testing.T, file string, n int) string {
	t.Helper()
	data := []byte(read(t, file))
	to := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(to, data[:n], 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestWhatCannotBeKept wants an error that names the entry.
func TestWhatCannotBeKept(t *testing.T) {
	full := tree(t, map[string]string{"etc/conf": "x"})
	cpio := makeCPIO(t, full)
	for name, tt := range map[string]struct {
		layers []string
		want   string
	}{
		"unknown kind":     {[]string{writeTar(t, tar.Header{Name: "odd", Typeflag: 'M'})}, `odd has a file type that cannot be kept ('M' in its tar header)`},
		"link to nothing":  {[]string{writeTar(t, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "gone"})}, "l is a hard link to gone, but no such file precedes it"},
		"file over folder": {[]string{full, tree(t, map[string]string{"etc": "file"})}, "etc is a folder with files in an earlier layer, but not a folder here"},
		"below a file":     {[]string{full, tree(t, map[string]string{"etc/conf/more": "x"})}, ""},
		"through a file":   {[]string{full, writeTar(t, tar.Header{Name: "etc/conf/x", Typeflag: tar.TypeDir, Mode: 0o755})}, "etc/conf/x is below etc/conf, which is not a folder"},
		"links in a ring":  {[]string{tree(t, map[string]string{"a": "->b", "b": "->a"}), tree(t, map[string]string{"a/x": "1"})}, ""},
		"long link":        {[]string{writeTar(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x", 5000)})}, "l leads to a name of 5000 bytes; Linux takes at most 4095"},
		"the end's name":   {[]string{tree(t, map[string]string{"TRAILER!!!": "x"})}, "TRAILER!!! marks the end of an initramfs, and cannot be a file's name"},
		"a large owner":    {[]string{writeTar(t, tar.Header{Name: "f", Typeflag: tar.TypeReg, Uid: 1 << 40})}, "f belongs to 1099511627776:0; Linux has users and groups up to 4294967295"},
		"a large device":   {[]string{writeTar(t, tar.Header{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1 << 20})}, "d is the device 1048576:0; Linux has devices up to 4095:1048575"},
		"no name":          {[]string{writeTar(t, tar.Header{Name: ".", Typeflag: tar.TypeReg})}, `"." is not a file name`},
		"cut tar":          {[]string{cut(t, makeTar(t, full), 1536+10)}, "truncated tar archive"},
		"cut cpio":         {[]string{cut(t, cpio, 150)}, "cpio archive, at byte 1"},
		"no trailer":       {[]string{cut(t, cpio, strings.Index(read(t, cpio), "TRAILER")-110)}, "cpio archive, at byte "},
	} {
		t.Run(name, func(t *testing.T) {
			archive, _, err := pack(t, tt.layers)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case tt.want == "":
				unpack(t, archive)
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// TestNotes says once for each archive what is lost of it though programs run without it.
func TestNotes(t *testing.T) {
	file := func(name string, records ...string) tar.Header {
		h := tar.Header{Name: name, Typeflag: tar.TypeReg, PAXRecords: make(map[string]string)}
		for _, r := range records {
			h.PAXRecords[r] = "x"
		}
		return h
	}
	ping := writeTar(t, file("ping", "SCHILY.xattr.security.capability"))
	journal := writeTar(t, file("plain", "comment"), file("journal", "SCHILY.acl.access", "SCHILY.acl.default"), file("a", "RHT.security.selinux"), file("b", "SCHILY.acl.access"))
	_, p, err := pack(t, []string{ping, writeTar(t, file("plain")), journal})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		ping + ": ping loses its extended attributes (security.capability): an initramfs has none",
		journal + ": journal and 2 more lose their extended attributes (security.selinux, system.posix_acl_access, system.posix_acl_default): an initramfs has none",
	}
	if diff := cmp.Diff(want, p.Notes()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUsage(t *testing.T) {
	dir := tree(t, map[string]string{"small": "x", "page": strings.Repeat("x", 4097)})
	if err := os.Link(filepath.Join(dir, "page"), filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	_, p, err := pack(t, []string{makeTar(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	// Three pages; the root and two files; their names and a second one.
	if u := p.Usage(); u.Names != 4 || u.Bytes != 3*4096+3*768+4*256 {
		t.Errorf("%+v", u)
	}
}

// TestMountable tells where something can be mounted: on folders, also behind links, and
// on nothing.
func TestMountable(t *testing.T) {
	layer := makeTar(t, tree(t, map[string]string{"dev": "a file", "proc/": "", "run": "->var/run", "var/run/": "", "tmp": "->dev"}))
	_, p, err := pack(t, []string{layer})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"/dev": false, "/proc": true, "/sys": true, "/run": true, "/tmp": false} {
		if got := p.Mountable(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestLinkToFolder packs a folder by a symbolic link to it.
func TestLinkToFolder(t *testing.T) {
	link := filepath.Join(t.TempDir(), "root")
	if err := os.Symlink(tree(t, map[string]string{"etc/motd": "hello"}), link); err != nil {
		t.Fatal(err)
	}
	if got := unpack(t, mustPack(t, []string{link})); read(t, filepath.Join(got, "etc/motd")) != "hello" {
		t.Errorf("unpacked into %s", got)
	}
}
