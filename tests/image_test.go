package tests

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// odd is a tar of what file systems have beside plain files.
func odd(t *testing.T, name string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "srv/a \"b\" c", Size: 3, Mode: 0o4751, Uid: 70000, Gid: 7, PAXRecords: map[string]string{"SCHILY.xattr.user.colour": "blue"}},
		{Typeflag: tar.TypeLink, Name: "srv/linked", Linkname: "srv/a \"b\" c"},
		{Typeflag: tar.TypeChar, Name: "srv/null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		{Typeflag: tar.TypeBlock, Name: "srv/disk", Mode: 0o660, Devmajor: 254, Devminor: 300},
		{Typeflag: tar.TypeFifo, Name: "srv/pipe", Mode: 0o600},
		{Typeflag: tar.TypeSymlink, Name: "srv/x2d", Linkname: strings.Repeat("a\\x2d/", 30)},
		{Typeflag: tar.TypeDir, Name: "srv/sticky", Mode: 0o1777, Uid: 3},
	} {
		h.ModTime, h.Format = time.Unix(1_700_000_000, 0), tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// built runs image build, which must succeed.
func built(t *testing.T, args ...string) {
	t.Helper()
	if out, errs, status := run(t, nil, append([]string{"image", "build"}, args...)...); status != 0 {
		t.Fatalf("image build %s: status %d\n%s%s", args, status, out, errs)
	}
}

// TestImageBuild: a board sees in an image what its layers have, and the same layers make the
// same bytes, wherever they are and whenever.
func TestImageBuild(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	odd(t, at("odd.tar"))
	shell(t, dir, "cp -a "+diskRoot(t)+" root; mkdir copy root/many; for i in $(seq 600); do echo $i > root/many/a-file-with-a-long-name-$i; done")
	shell(t, dir, "cd root; find . -mindepth 1 | sort -r | cpio -pdm --quiet ../copy 2>/dev/null; chown -R 5:5 ../copy; cd ..; find root copy -exec touch -h -d @1600000000 {} +") // in another order
	for _, c := range []struct {
		name, root, file string
		flags            []string
	}{
		{"ext4", "system", "ext4", []string{"--label", "sys", "--size", "64M"}},
		{"ext4 in a GPT", "system.1", "ext4", []string{"--gpt"}},
		{"squashfs", "system", "squashfs (gzip)", []string{"--type", "squashfs"}},
		{"squashfs in a GPT", "system.1", "squashfs (gzip)", []string{"--type", "squashfs", "--gpt", "--size", "32M"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			built(t, append([]string{at("one.img"), at("root"), at("odd.tar")}, c.flags...)...)
			built(t, append([]string{at("two.img"), at("copy"), at("odd.tar")}, c.flags...)...)
			if out, err := exec.Command("cmp", at("one.img"), at("two.img")).CombinedOutput(); err != nil {
				t.Errorf("the same layers make two images: %s", out)
			}
			if out, _, _ := run(t, nil, "image", "info", at("one.img")); !strings.Contains(out, "with "+c.file+"\n") || strings.Contains(out, "GPT") != strings.Contains(c.name, "GPT") {
				t.Errorf("image info says\n%s", out)
			}
			if strings.Contains(c.name, "GPT") {
				shell(t, dir, "PATH=$PATH:/sbin:/usr/sbin; sfdisk -V one.img | grep 'No errors detected'")
			} else if c.file == "ext4" {
				shell(t, dir, "PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn one.img; debugfs -R 'ea_list /srv/linked' one.img | grep 'user.colour.*blue'; dumpe2fs -h one.img | grep 'volume name: *sys$'; test $(stat -c %s one.img) = 67108864")
			}
			board := fmt.Sprintf("name = \"b\"\n[firmware]\nroot = %q\nhandover = false\n[[disk]]\nname = \"system\"\nimage = %q\n", c.root, at("one.img"))
			app := guesttest.Run(t, map[string]string{"main.toml": board}, guesttest.Options{Seed: 1})
			out := app.Sh("b", `cd /srv; for f in *; do stat -c '%n|%A|%u:%g|%h|%t:%T|%Y' "$f"; done; readlink x2d | wc -c; cat linked; echo; cat /etc/issue; ls /many | wc -l; cat /many/a-file-with-a-long-name-77; stat -c %Y:%u /etc/issue`)
			want := `a "b" c|-rwsr-x--x|70000:7|2|0:0|1700000000
disk|brw-rw----|0:0|1|fe:12c|1700000000
linked|-rwsr-x--x|70000:7|2|0:0|1700000000
null|crw-rw-rw-|0:0|1|1:3|1700000000
pipe|prw-------|0:0|1|0:0|1700000000
sticky|drwxrwxrwt|3:0|2|0:0|1700000000
x2d|lrwxrwxrwx|0:0|1|0:0|1700000000
181
abc
from the disk
600
77
1600000000:0
`
			if out != want {
				t.Errorf("the board sees\n%s\nwant\n%s", out, want)
			}
		})
	}
}

// TestImageBuildRefuses: nothing is left of an image that cannot be built.
func TestImageBuildRefuses(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	shell(t, dir, "mkdir root; dd if=/dev/urandom of=root/large bs=1M count=12 status=none; echo no archive > odd")
	for want, args := range map[string][]string{
		"--type is \"ntfs\"; it must be ext4 or squashfs":        {root, "--type", "ntfs"},
		"--label: a squashfs has none":                           {root, "--type", "squashfs", "--label", "x"},
		"--include, --mirror and --arch need a suite":            {root, "--include", "udev"},
		"--size: a disk of 100 bytes: must be a multiple of 512": {root, "--size", "100"},
		"is neither a tar nor a cpio archive":                    {filepath.Join(dir, "odd")},
		"no such file or directory":                              {filepath.Join(dir, "none")},
		"is 8 MiB enough for the files? --size makes it larger":  {root, "--size", "8M"},
		" bytes, the image is to have 1048576":                   {root, "--type", "squashfs", "--size", "1M"},
	} {
		_, errs, status := run(t, nil, append([]string{"image", "build", filepath.Join(dir, "out.img")}, args...)...)
		if status != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d\n%s\nwant %s", args, status, errs, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 2 || len(hidden) != 0 {
		t.Errorf("there is left: %s %s", left, hidden)
	}
}

// TestImageDate: no file is younger than SOURCE_DATE_EPOCH says, and older ones keep their date.
func TestImageDate(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "one.img")
	shell(t, dir, "mkdir root; echo x > root/new; echo x > root/old; touch -d @1400000000 root/old")
	t.Setenv("SOURCE_DATE_EPOCH", "1500000000")
	built(t, image, filepath.Join(dir, "root"))
	shell(t, dir, `PATH=$PATH:/sbin:/usr/sbin
date() { debugfs -R "stat /$1" one.img 2>/dev/null | grep -q "^ *$2: 0x$3"; }
date new mtime 59682f00; date new ctime 59682f00; date new crtime 59682f00; date old mtime 53724e00`)
}
