package rootfs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/guest/rootfs"

	"golang.org/x/sys/unix"
)

// layerFile writes an archive.
func layerFile(t testing.TB, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layer")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// tarOf is a tar of files with these contents, in the order of their names' list.
func tarOf(t testing.TB, names []string, contents ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(contents[i]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, contents[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipped compresses by gzip.
func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entry is one of a cpio archive; fields are set by their numbers (1 is the mode).
func cpioEntry(name, data string, fields map[int]uint32) string {
	f := [13]uint32{1: 0o100644, 4: 1, 6: uint32(len(data)), 11: uint32(len(name) + 1)}
	for i, v := range fields {
		f[i] = v
	}
	var b strings.Builder
	b.WriteString("070701")
	for _, v := range f {
		fmt.Fprintf(&b, "%08X", v)
	}
	pad := func() { b.WriteString(strings.Repeat("\x00", -b.Len()&3)) }
	b.WriteString(name + "\x00")
	pad()
	b.WriteString(data)
	pad()
	return b.String()
}

// packed packs one archive, within a limit.
func packed(t testing.TB, data []byte, limit int64) error {
	t.Helper()
	return packedFile(layerFile(t, data), limit)
}

func packedFile(layer string, limit int64) error {
	p := rootfs.NewPacker(nowhere{})
	p.Limit(limit)
	return p.Layer(layer)
}

// nowhere is an archive that nobody wants.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error)            { return len(p), nil }
func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// TestCutArchives cuts archives everywhere: each is refused, whatever it is that is
// missing, except of what stands behind a tar's end.
func TestCutArchives(t *testing.T) {
	zeros := strings.Repeat("\x00", 1024) // as the end is
	plain := tarOf(t, []string{"a", "b", "c"}, "text", zeros, "")
	cpio := []byte(cpioEntry("a", "text", nil) + cpioEntry("b", zeros, nil) + cpioEntry("TRAILER!!!", "", map[int]uint32{1: 0}))
	zip := zipped(t, plain)
	end := len(plain) - 1024
	for _, tt := range []struct {
		name  string
		data  []byte
		whole int // so much of it is good
	}{{"tar", plain, end + 512}, {"cpio", cpio, len(cpio) - 1}, {"gzip", zip, len(zip)}} {
		t.Run(tt.name, func(t *testing.T) {
			file, step := layerFile(t, nil), 1
			if tt.name == "tar" {
				step = 128
			}
			for n := 0; n < len(tt.data); n += step {
				if err := os.WriteFile(file, tt.data[:n], 0o644); err != nil {
					t.Fatal(err)
				}
				err := packedFile(file, 0)
				var content *rootfs.ContentError
				if n < tt.whole && !errors.As(err, &content) {
					t.Errorf("cut to %d of %d bytes: error %v", n, len(tt.data), err)
				}
			}
			if err := packed(t, tt.data, 0); err != nil {
				t.Errorf("whole: %v", err)
			}
		})
	}
}

// TestLyingArchives wants the entry to be named, and the layer to be at fault.
func TestLyingArchives(t *testing.T) {
	end := cpioEntry("TRAILER!!!", "", map[int]uint32{1: 0})
	header := func(h tar.Header, raw func(block []byte)) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		block := b.Bytes()[:512]
		raw(block)
		copy(block[148:156], "        ") // the sum
		sum := 0
		for _, c := range block {
			sum += int(c)
		}
		copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
		return append(block, make([]byte, 1024)...)
	}
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"a tar's size":           {header(tar.Header{Name: "f", Typeflag: tar.TypeReg}, func(b []byte) { copy(b[124:], "00000010000\x00") }), "truncated tar archive, in f"},
		"a tar's negative size":  {header(tar.Header{Name: "f", Typeflag: tar.TypeReg}, func(b []byte) { copy(b[124:], bytes.Repeat([]byte{0xff}, 12)) }), "neither a tar nor a cpio"},
		"a tar's device":         {header(tar.Header{Name: "d", Typeflag: tar.TypeChar}, func(b []byte) { copy(b[329:], "\x80\x00\x00\x01\x00\x00\x00\x00") }), "d is the device 4294967296:0"},
		"a tar's link":           {header(tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"}, func([]byte) {}), "l is a hard link to etc/passwd, but no such file precedes it"},
		"a tar's sum":            {append([]byte(strings.Repeat("x", 512)), make([]byte, 1024)...), "neither a tar nor a cpio"},
		"a cpio's size":          {[]byte(cpioEntry("f", "data", map[int]uint32{6: 4000}) + end), "f is shorter than its 4000 bytes"},
		"a cpio's small size":    {[]byte(cpioEntry("f", "data that is longer", map[int]uint32{6: 4}) + end), "no entry of a cpio archive (newc) follows"},
		"a cpio's largest size":  {[]byte(cpioEntry("f", "", map[int]uint32{6: 0xffffffff}) + end), "f is shorter than its 4294967295 bytes"},
		"a cpio's name":          {[]byte(cpioEntry("f", "", map[int]uint32{11: 0}) + end), "a name of 0 bytes"},
		"a cpio's long name":     {[]byte(cpioEntry("f", "", map[int]uint32{11: 0xffffffff}) + end), "a name of 4294967295 bytes"},
		"a cpio's kind":          {[]byte(cpioEntry("f", "", map[int]uint32{1: 0o170644}) + end), "f has a file type that Linux does not have (mode 170644)"},
		"a cpio's device":        {[]byte(cpioEntry("d", "", map[int]uint32{1: 0o020644, 9: 0x1000}) + end), "d is the device 4096:0"},
		"a zero in a name":       {[]byte(cpioEntry("a\x00b", "", nil) + end), `"a\x00b" has a zero byte in its name`},
		"a zero in a link":       {[]byte(cpioEntry("l", "a\x00b", map[int]uint32{1: 0o120777}) + end), "l leads to a name with a zero byte in it"},
		"a long part of a name":  {[]byte(cpioEntry(strings.Repeat("x", 256), "", nil) + end), "has a name of 256 bytes in it; Linux takes at most 255"},
		"a number that is none":  {[]byte("070701" + strings.Repeat("g", 104) + end), "an invalid number"},
		"an archive in no block": {[]byte("070701"), "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			err := packed(t, tt.data, 1<<20)
			var content *rootfs.ContentError
			if tooLarge := errors.Is(err, rootfs.ErrTooLarge); !errors.As(err, &content) || !tooLarge && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err := packed(t, tt.data, 0); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("without a limit: error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestNamesStayInside packs names that lead out: they do not.
func TestNamesStayInside(t *testing.T) {
	data := tarOf(t, []string{"/abs", "../up", "a/../../b", "./c"}, "1", "2", "3", "4")
	got := unpack(t, mustPack(t, []string{layerFile(t, data)}))
	for name, want := range map[string]string{"abs": "1", "up": "2", "b": "3", "c": "4"} {
		if read(t, filepath.Join(got, name)) != want {
			t.Errorf("%s does not hold %q", name, want)
		}
	}
	folder := []byte(cpioEntry("d", "data of a folder", map[int]uint32{1: 0o040755}) + cpioEntry("d/f", "x", nil) + cpioEntry("TRAILER!!!", "", map[int]uint32{1: 0}))
	if got := unpack(t, mustPack(t, []string{layerFile(t, folder)})); read(t, filepath.Join(got, "d/f")) != "x" {
		t.Error("a folder with data is none")
	}
}

// TestBombs unpacks small archives without an end: they are given up at the limit.
func TestBombs(t *testing.T) {
	const limit = 1 << 20
	zeros := make([]byte, 64<<20)
	var names, texts []string
	for i := range 20_000 {
		names, texts = append(names, fmt.Sprint("file", i)), append(texts, "")
	}
	for name, data := range map[string][]byte{
		"one file":       zipped(t, tarOf(t, []string{"big"}, string(zeros))),
		"many files":     zipped(t, tarOf(t, names, texts...)),
		"after the end":  zipped(t, append(tarOf(t, []string{"a"}, "x"), zeros...)),
		"between cpios":  zipped(t, append([]byte(cpioEntry("TRAILER!!!", "", map[int]uint32{1: 0})), zeros...)),
		"with xz":        programmed(t, "xz", append(tarOf(t, []string{"a"}, "x"), zeros...)),
		"with zstd":      programmed(t, "zstd", append(tarOf(t, []string{"a"}, "x"), zeros...)),
		"a sparse file":  sparseTar(t),
		"not compressed": tarOf(t, []string{"big"}, string(zeros)),
	} {
		t.Run(name, func(t *testing.T) {
			if data == nil {
				t.Skip("this machine lacks the program that compresses it")
			}
			if err := packed(t, data, limit); !errors.Is(err, rootfs.ErrTooLarge) {
				t.Errorf("error %v, want that it is too large", err)
			}
		})
	}
}

// programmed compresses with a program; nil where there is none.
func programmed(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		return nil
	}
	cmd := exec.Command(name, "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sparseTar has a file of 2 GiB that is a hole.
func sparseTar(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hole"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "hole"), 2<<30); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(makeTar(t, dir, "-S", "--format=posix"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMachineFaults tells what the machine lacks from what the layer does.
func TestMachineFaults(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	err = rootfs.NewPacker(full).Layer(layerFile(t, tarOf(t, []string{"big"}, string(make([]byte, 4<<20)))))
	var content *rootfs.ContentError
	if !errors.Is(err, unix.ENOSPC) || errors.As(err, &content) {
		t.Errorf("error %v, want that there is no space", err)
	}
	t.Setenv("PATH", "/nowhere")
	err = packed(t, append([]byte("\xfd7zXZ\x00"), make([]byte, 100)...), 0)
	if !errors.Is(err, exec.ErrNotFound) || errors.As(err, &content) {
		t.Errorf("error %v, want that there is no xz", err)
	}
}

// TestWhatIsNoLayer names what can be neither a folder nor an archive.
func TestWhatIsNoLayer(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/dev/zero": "is a device; it must be a folder or an archive", pipe: "is a pipe; it must be a folder or an archive",
		"/proc": "is on the file system proc, which has no files to copy", "/sys": "is on the file system sysfs",
		"/nowhere": "no such file",
	} {
		if err := rootfs.CheckLayer(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if _, _, err := pack(t, []string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("packing %s: error %v, want %q", name, err, want)
		}
	}
	if err := rootfs.CheckLayer(t.TempDir()); err != nil {
		t.Error(err)
	}
}

// TestDeepNamesCostLittle packs names that lead through very many folders and links.
func TestDeepNamesCostLittle(t *testing.T) {
	deep := strings.Repeat("d/", 1900)
	var b strings.Builder
	for i := range 200 {
		b.WriteString(cpioEntry(fmt.Sprint(deep, i), "", nil))
	}
	b.WriteString(cpioEntry("l", strings.Repeat("d/../", 700)+".", map[int]uint32{1: 0o120777}))
	b.WriteString(cpioEntry("m", strings.Repeat("l/", 1900), map[int]uint32{1: 0o120777}))
	for i := range 100 {
		b.WriteString(cpioEntry(fmt.Sprint("l/", i), "", nil))
	}
	b.WriteString(cpioEntry("m/x", "", nil) + cpioEntry("TRAILER!!!", "", map[int]uint32{1: 0}))
	if err := packed(t, []byte(b.String()), 0); err == nil || !strings.Contains(err.Error(), "m leads through more than 10000 folders") {
		t.Errorf("error %v, want that m/x leads through too much", err)
	}
}
