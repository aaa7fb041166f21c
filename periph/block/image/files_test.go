package image_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph/block/image"
	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

const mib = 1 << 20

// rawFile makes a raw image whose first bytes are text.
func rawFile(t *testing.T, name, text string, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, name string) *image.Image {
	t.Helper()
	i, err := image.Open(name, hostfile.Open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

// over makes an overlay over an image, or over nothing.
func over(t *testing.T, name, base string, size int64) string {
	t.Helper()
	var below *image.Image
	if base != "" {
		below = open(t, base)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := image.Create(path, below, size); err != nil {
		t.Fatal(err)
	}
	if below != nil {
		below.Close()
	}
	return path
}

// put writes text into an overlay for good.
func put(t *testing.T, name, text string, off int64) {
	t.Helper()
	o, _, err := image.OpenOverlay(name, hostfile.Open)
	if err == nil {
		err = errors.Join(o.WriteV([][]byte{[]byte(text)}, off), o.Flush(), o.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, name, text string, off int64) {
	t.Helper()
	i, got := open(t, name), make([]byte, len(text))
	if err := errors.Join(i.ReadV([][]byte{got}, off), i.Close()); err != nil || string(got) != text {
		t.Errorf("%s has %q at %d, %v; want %q", filepath.Base(name), got, off, err, text)
	}
}

func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

// TestLayers: an overlay over an overlay over an image, none of which is written to but
// the first.
func TestLayers(t *testing.T) {
	base := rawFile(t, "base.img", "from the image", mib)
	middle := over(t, "middle", base, 0)
	put(t, middle, "from the middle", 3*4096+100)
	top := over(t, "top", middle, 2*mib)
	put(t, top, "from the top", 3*4096+106)
	has(t, top, "from the image", 0)
	has(t, top, "from tfrom the top", 3*4096+100)
	has(t, top, "\x00\x00", 2*mib-2)
	has(t, middle, "from the middle", 3*4096+100)
	if i := open(t, top); i.Format != image.FormatOverlay || i.Below.Format != image.FormatOverlay || i.Below.Below.File != base || i.Size() != 2*mib {
		t.Errorf("%+v", i)
	}
}

// TestChangedBase: an overlay does not fit an image that has changed, until it is reset.
func TestChangedBase(t *testing.T) {
	base := rawFile(t, "base.img", "one", mib)
	top := over(t, "top", base, 0)
	put(t, top, "mine", 8192)
	later := time.Now().Add(time.Second)
	if err := errors.Join(os.WriteFile(base, []byte("two"), 0o644), os.Truncate(base, mib), os.Chtimes(base, later, later)); err != nil {
		t.Fatal(err)
	}
	_, err := image.Open(top, hostfile.Open)
	var changed *image.ChangedError
	if !errors.As(err, &changed) {
		t.Fatalf("it is opened: %v", err)
	}
	fails(t, image.Commit(t.Context(), top, hostfile.Open), "was changed at")
	fails(t, image.Rebase(t.Context(), top, nil, false, hostfile.Open), "was changed at")
	if err := image.Reset(top, hostfile.Open); err != nil {
		t.Fatal(err)
	}
	has(t, top, "two", 0)
	has(t, top, "\x00", 8192)
	if err := os.Truncate(base, 2*mib); err != nil {
		t.Fatal(err)
	}
	_, err = image.Open(top, hostfile.Open)
	fails(t, err, "had 1048576 bytes when the overlay was made, and has 2097152 now")
}

// TestLocks: two cannot have an overlay for writing, and nobody an image that is read.
func TestLocks(t *testing.T) {
	base := rawFile(t, "base.img", "", mib)
	top := over(t, "top", base, 0)
	o, _, err := image.OpenOverlay(top, hostfile.Open)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for what, err := range map[string]error{
		"reset": image.Reset(top, hostfile.Open), "commit": image.Commit(t.Context(), top, hostfile.Open), "rebase": image.Rebase(t.Context(), top, nil, true, hostfile.Open),
		"read":  func() error { _, err := image.Open(top, hostfile.Open); return err }(),
		"write": func() error { _, _, err := image.OpenOverlay(top, hostfile.Open); return err }(),
	} {
		var used *hostfile.InUseError
		if !errors.As(err, &used) || used.File != top {
			t.Errorf("%s: %v", what, err)
		}
	}
	other := over(t, "other", base, 0) // which only reads the image
	put(t, other, "x", 0)
	fails(t, image.Commit(t.Context(), other, hostfile.Open), base+" is in use")
}

// TestCommit: an overlay's blocks come into its image, also one that is an overlay.
func TestCommit(t *testing.T) {
	base := rawFile(t, "base.img", "image", mib)
	middle := over(t, "middle", base, 2*mib)
	put(t, middle, "middle", 0)
	put(t, middle, "end", 2*mib-512)
	top := over(t, "top", middle, 0)
	put(t, top, "top", 4096)
	ctx, end := context.WithCancelCause(t.Context())
	end(errors.New("the user has had enough"))
	fails(t, image.Commit(ctx, top, hostfile.Open), "the user has had enough: it is of no use until another 'backplane disk commit'")
	_, err := image.Open(top, hostfile.Open)
	fails(t, err, "a commit of "+top+" was interrupted")
	for _, name := range []string{top, middle} {
		if err := image.Commit(t.Context(), name, hostfile.Open); err != nil {
			t.Fatal(err)
		}
		if name == top { // whose image is another one now, and knows it
			has(t, top, "middle", 0)
		}
		has(t, name, "top", 4096)
	}
	has(t, base, "middle", 0)
	has(t, base, "top", 4096)
	has(t, base, "end", 2*mib-512)
	i := open(t, middle)
	if i.Source.(*image.Overlay).Allocated() != 0 {
		t.Error("the overlay keeps what it has committed")
	}
	i.Close()
	fails(t, image.Commit(t.Context(), over(t, "alone", "", mib), hostfile.Open), "it is over no image")
	_, err = image.Open(top, hostfile.Open)
	fails(t, err, "was changed") // its image was committed, and is empty
}

// TestCommitCut: an overlay whose end is missing changes nothing of its image.
func TestCommitCut(t *testing.T) {
	for name, cut := range map[string]int64{"blocks": 12288 + mib, "bitmap": 8192} {
		t.Run(name, func(t *testing.T) {
			base := rawFile(t, "base.img", "image", mib)
			top := over(t, "top", base, 2*mib)
			put(t, top, "top", 0)
			put(t, top, "end", 2*mib-512)
			if err := os.Truncate(top, cut); err != nil {
				t.Fatal(err)
			}
			fails(t, image.Commit(t.Context(), top, hostfile.Open), "its end is missing")
			has(t, base, "image", 0)
			if size := open(t, base).Size(); size != mib {
				t.Errorf("the image has %d bytes, not %d", size, mib)
			}
			if _, err := image.Open(top, hostfile.Open); err == nil || strings.Contains(err.Error(), "interrupted") {
				t.Errorf("open it afterwards: %v, which should be that its end is missing", err)
			}
		})
	}
}

// TestRebase: over another image an overlay has the same contents, unless it is told that
// the images are the same.
func TestRebase(t *testing.T) {
	base := rawFile(t, "base.img", "old image", mib)
	copied := rawFile(t, "copy.img", "old image", mib)
	other := rawFile(t, "other.img", "new", mib)
	top := over(t, "top", base, 0)
	put(t, top, "mine", 4096)
	upper := open(t, over(t, "upper", top, 0))
	fails(t, image.Rebase(t.Context(), top, upper, false, hostfile.Open), "has it below itself")
	if err := upper.Close(); err != nil {
		t.Fatal(err)
	}
	for _, to := range []struct {
		name string
		same bool
		own  int64
	}{{copied, true, 4096}, {other, false, 8192}, {"", false, 8192}} {
		var below *image.Image
		if to.name != "" {
			below = open(t, to.name)
		}
		if err := image.Rebase(t.Context(), top, below, to.same, hostfile.Open); err != nil {
			t.Fatal(err)
		}
		has(t, top, "old image", 0)
		has(t, top, "mine", 4096)
		i := open(t, top)
		if got := i.Source.(*image.Overlay).Allocated(); got != to.own {
			t.Errorf("over %q it has %d bytes of its own, want %d", to.name, got, to.own)
		}
		i.Close()
	}
}

// TestBadImages are none.
func TestBadImages(t *testing.T) {
	good := over(t, "good", "", mib)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(b []byte) []byte
		want  string
	}{
		"empty":     {func([]byte) []byte { return nil }, "has 0 bytes"},
		"odd":       {func([]byte) []byte { return make([]byte, 513) }, "has 513 bytes"},
		"checksum":  {func(b []byte) []byte { b[100]++; b[4096+100]++; return b }, "checksum is wrong"},
		"cut":       {func(b []byte) []byte { return b[:8192] }, "its end is missing: it must have 12288 bytes at least"},
		"cut block": {func(b []byte) []byte { b[8192] = 1 << 3; return b[:12288+4*4096-1] }, "its end is missing: it must have 28672 bytes at least"},
		"short":     {func(b []byte) []byte { return b[:5120] }, "not an overlay"},
		"bits":      {func(b []byte) []byte { b[8192+100] = 1; return b }, "it says that it has block 800 of 256"},
		"qcow2":     {func([]byte) []byte { return []byte("QFI\xfb\x00\x00\x00\x03") }, "too short"},
		"qcow2 v9":  {func([]byte) []byte { return append([]byte("QFI\xfb\x00\x00\x00\x09"), make([]byte, 600)...) }, "qcow2 version 9"},
		"old place": {func(b []byte) []byte { copy(b, b[4096:8192]); b[4096+100]++; return b }, ""}, // a torn header: the other one counts
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(path, c.spoil(bytes.Clone(text)), 0o644); err != nil {
				t.Fatal(err)
			}
			err := image.Check(t.Context(), path, hostfile.Open)
			if c.want == "" && err == nil {
				return
			}
			fails(t, err, c.want)
		})
	}
	fails(t, image.Create(good, nil, mib), "file exists")
	fails(t, image.Create(filepath.Join(t.TempDir(), "x"), nil, 0), "a disk of 0 bytes")
	fails(t, image.Create(filepath.Join(t.TempDir(), "x"), open(t, good), 512), "must be at least as large")
	_, _, err = image.OpenOverlay(rawFile(t, "raw", "", mib), hostfile.Open)
	fails(t, err, "not an overlay ('backplane disk create'")
}

// TestLarge: an overlay of a large image is made, and reset, at once.
func TestLarge(t *testing.T) {
	base := rawFile(t, "base.img", "x", 10<<30)
	start := time.Now()
	top := over(t, "top", base, 0)
	made := time.Since(start)
	put(t, top, "y", 9<<30)
	start = time.Now()
	if err := image.Reset(top, hostfile.Open); err != nil {
		t.Fatal(err)
	}
	t.Logf("made in %s, reset in %s", made, time.Since(start))
	has(t, top, "\x00", 9<<30)
	var st unix.Stat_t
	if err := unix.Stat(top, &st); err != nil || st.Blocks*512 > mib {
		t.Errorf("the overlay takes %d bytes of room, %v", st.Blocks*512, err)
	}
}

// TestHash: holes and zeros are alike, and a changed byte is not.
func TestHash(t *testing.T) {
	hash := func(spoil func(f *os.File) error) string {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err == nil {
			defer f.Close()
			err = errors.Join(f.Truncate(mib+512), spoil(f))
		}
		h := ""
		if err == nil {
			h, err = image.Hash(t.Context(), f)
		}
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	at := func(data []byte, off int64) func(*os.File) error {
		return func(f *os.File) error { _, err := f.WriteAt(data, off); return err }
	}
	empty := hash(at(nil, 0))
	if hash(at(make([]byte, mib), 0)) != empty {
		t.Error("zeros are not as a hole")
	}
	seen := map[string]bool{empty: true}
	for _, off := range []int64{0, 65535, 65536, mib, mib + 511} {
		h := hash(at([]byte{1}, off))
		if seen[h] {
			t.Errorf("a byte at %d changes nothing", off)
		}
		seen[h] = true
	}
}

// TestQCOW2 reads what qemu-img has made.
func TestQCOW2(t *testing.T) {
	qemu, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("qemu-img is not installed (Debian: qemu-utils)")
	}
	raw := rawFile(t, "raw.img", "the first", 64*mib)
	f, err := os.OpenFile(raw, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	word := make([]byte, 8)
	for off := int64(100 << 10); off < 64*mib; off += 777 * 512 {
		binary.LittleEndian.PutUint64(word, uint64(off))
		if _, err := f.WriteAt(word, off); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	convert := func(args ...string) string {
		name := filepath.Join(t.TempDir(), "image.qcow2")
		args = append(append([]string{"convert", "-O", "qcow2"}, args...), raw, name)
		if out, err := exec.Command(qemu, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return name
	}
	for _, options := range [][]string{{"-o", "compat=0.10"}, {"-o", "compat=1.1"}, {"-o", "cluster_size=4096"}, {"-o", "cluster_size=2M"},
		{"-c"}, {"-c", "-o", "cluster_size=512"}, {"-c", "-o", "cluster_size=2M"}} {
		i, got := open(t, convert(options...)), make([]byte, len(want))
		err := i.ReadV([][]byte{got[:1000], got[1000:]}, 0)
		if err != nil || !bytes.Equal(got, want) || i.Format != image.FormatQCOW2 {
			t.Errorf("%s: %v, or it is not as the raw image", options, err)
		}
		part := got[:3000]
		if err := i.ReadV([][]byte{part[:700], part[700:]}, 33*mib-512); err != nil || !bytes.Equal(part, want[33*mib-512:33*mib+2488]) {
			t.Errorf("%s: %v, or a part is not as in the raw image", options, err)
		}
	}
	packed := convert("-c")
	broken, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		broken[len(broken)-1-i] = 0xff
	}
	if err := os.WriteFile(packed, broken, 0o644); err != nil {
		t.Fatal(err)
	}
	fails(t, image.Check(t.Context(), packed, hostfile.Open), "the compressed qcow2 cluster at 0x")
	top := over(t, "top", convert(), 0)
	put(t, top, "mine", 512)
	has(t, top, "the first", 0)
	fails(t, image.Commit(t.Context(), top, hostfile.Open), "is a qcow2 file, which this program does not write")
}

// TestQCOW2Chain: what qemu-img has put over one another reads as QEMU reads it, and what
// does not end, is not there or does not say what it is does not open.
func TestQCOW2Chain(t *testing.T) {
	for _, tool := range []string{"qemu-img", "qemu-io"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed (Debian: qemu-utils)")
		}
	}
	run := func(tool string, args ...string) {
		t.Helper()
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", tool, args, err, out)
		}
	}
	base := rawFile(t, "base.img", "the base", mib)
	dir := filepath.Dir(base)
	at := func(name string) string { return filepath.Join(dir, name) }
	// As long as its base; longer than what is below it, so that zeros follow that; of old.
	run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.img", "-F", "raw", at("middle.qcow2"))
	run("qemu-io", "-c", "write -P 0x41 64k 4k", "-c", "write -z 0 512", at("middle.qcow2"))
	run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", "-o", "compat=0.10", at("top.qcow2"), "2M")
	run("qemu-io", "-c", "write -P 0x42 1M 4k", "-c", "write -P 0x43 68k 512", at("top.qcow2"))
	run("qemu-img", "convert", "-O", "raw", at("top.qcow2"), at("flat.img"))
	want, err := os.ReadFile(at("flat.img"))
	if err != nil {
		t.Fatal(err)
	}
	i := open(t, at("top.qcow2"))
	got := make([]byte, 2*mib)
	if err := i.ReadV([][]byte{got[:70_000], got[70_000:]}, 0); err != nil || !bytes.Equal(got, want) || got[64<<10] != 0x41 || got[mib] != 0x42 {
		t.Errorf("%v, or the chain is not as QEMU reads it", err)
	}
	if files := i.Files(); len(files) != 3 || files[2] != base {
		t.Errorf("the chain has the files %q", files)
	}
	i.Close()
	mine := over(t, "mine", at("top.qcow2"), 0)
	put(t, mine, "mine", 4096)
	has(t, mine, "A", 64<<10)

	// A raw base that looks like a qcow2 file, as a guest can make it, is still a raw one.
	spoiled := rawFile(t, "looks.img", "QFI\xfb\x00\x00\x00\x03", mib)
	run("qemu-img", "create", "-q", "-f", "qcow2", "-b", spoiled, "-F", "raw", at("over.qcow2"))
	has(t, over(t, "raw below", at("over.qcow2"), 0), "QFI\xfb", 0)

	bad := func(name, backing, format, want string) {
		t.Helper()
		run("qemu-img", "create", "-q", "-f", "qcow2", at(name), "1M")
		args := []string{"rebase", "-u", "-b", backing}
		if format != "" {
			args = append(args, "-F", format)
		}
		run("qemu-img", append(args, at(name))...)
		_, err := image.Open(at(name), hostfile.Open)
		fails(t, err, want)
	}
	bad("gone.qcow2", "no.img", "raw", "no.img: no such file")
	bad("itself.qcow2", "itself.qcow2", "qcow2", "itself.qcow2: more than 32 images are below one another, or one is below itself")
	bad("wrong.qcow2", "base.img", "qcow2", "it does not begin as qcow2 files do")
	bad("other.qcow2", "base.img", "vmdk", `the format "vmdk": must be raw or qcow2`)
	bad("network.qcow2", "nbd://localhost", "raw", "must be the name of a file")
	silent, err := os.ReadFile(at("over.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	format := bytes.Index(silent, []byte("\xe2\x79\x2a\xca"))
	if format < 0 {
		t.Fatal("qemu-img has written no format of the backing file")
	}
	silent[format]++
	if err := os.WriteFile(at("silent.qcow2"), silent, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = image.Open(at("silent.qcow2"), hostfile.Open)
	fails(t, err, "it does not say which format its backing file")
}
