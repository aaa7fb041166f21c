package rootfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"testing"

	"backplane/simbus/costtest"
)

// nowhere is an archive that nobody keeps.
type nowhere struct{ size, at int64 }

func (n *nowhere) Write(p []byte) (int, error) {
	n.size += int64(len(p))
	return len(p), nil
}

func (n *nowhere) WriteAt(p []byte, at int64) (int, error) {
	n.at = max(n.at, at+int64(len(p)))
	return len(p), nil
}

// packFuzzed packs an archive within a limit, and wants that kept.
func packFuzzed(t *testing.T, data []byte) {
	const limit = 1 << 20
	costtest.Of(len(data)).Run(t, func() {
		out := new(nowhere)
		p := NewPacker(out)
		p.Limit(limit)
		err := p.archive(bytes.NewReader(data))
		if err == nil {
			p.Usage()
			err = p.Close()
		}
		if out.size > limit+1024 || out.at > out.size {
			t.Errorf("%d bytes were written, up to %d: %v", out.size, out.at, err)
		}
	})
}

func FuzzCPIO(f *testing.F) {
	f.Add([]byte("070701"))
	var b bytes.Buffer
	pad := func() { b.Write(make([]byte, -b.Len()&3)) }
	for _, e := range []struct {
		mode       int
		name, data string
	}{{0o40755, "d", ""}, {0o100644, "d/f", "data"}, {0o120777, "l", "d/../d"}, {0o100600, "l/g", ""}, {0, trailer, ""}} {
		fmt.Fprintf(&b, "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", cpioMagic, 1, e.mode, 0, 0, 2, 0, len(e.data), 0, 0, 0, 0, len(e.name)+1, 0, e.name)
		pad()
		b.WriteString(e.data)
		pad()
	}
	f.Add(b.Bytes()[len(cpioMagic):])
	f.Fuzz(func(t *testing.T, data []byte) { packFuzzed(t, append([]byte(cpioMagic), data...)) })
}

// summed gives each block of a tar the sum that a header has.
func summed(data []byte) []byte {
	data = bytes.Clone(data)
	for b := data; len(b) >= blockSize; b = b[blockSize:] {
		if bytes.Equal(b[:blockSize], make([]byte, blockSize)) {
			continue // the end
		}
		copy(b[148:156], "        ")
		sum := 0
		for _, c := range b[:blockSize] {
			sum += int(c)
		}
		copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	}
	return data
}

func FuzzTar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "d/f", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}},
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d"}, {Name: "l/h", Typeflag: tar.TypeLink, Linkname: "d/f"},
		{Name: "c", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Format: tar.FormatGNU}, {Name: "p", Typeflag: tar.TypeFifo},
	} {
		if err := w.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) { packFuzzed(t, summed(data)) })
}

// FuzzCompressed has what unpacks to something else.
func FuzzCompressed(f *testing.F) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(make([]byte, 10_000)); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("BZh91AY&SY"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, program := range []string{"\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"} {
			if bytes.HasPrefix(data, []byte(program)) {
				return // another program's to read
			}
		}
		packFuzzed(t, data)
	})
}
