package rootfs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/guest/rootfs"
	"backplane/simbus/hostfile"
)

// meddler is an archive during whose writing something happens, once.
type meddler struct {
	bytes.Buffer
	do func()
}

func (m *meddler) Write(p []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Buffer.Write(p)
}

func (m *meddler) WriteAt(p []byte, at int64) (int, error) { return copy(m.Bytes()[at:], p), nil }

// TestFolderKeepsInside has a folder become a link that leads elsewhere while it is packed.
func TestFolderKeepsInside(t *testing.T) {
	const secret = "nobody's business"
	inside, outside := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		inside + "/a":   strings.Repeat("a", 4<<20), // more than is kept back
		inside + "/b/f": "own", outside + "/f": secret,
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := &meddler{do: func() {
		if err := errors.Join(os.RemoveAll(inside+"/b"), os.Symlink(outside, inside+"/b")); err != nil {
			t.Error(err)
		}
	}}
	p := rootfs.NewPacker(out)
	_ = p.Layer(inside) // an error will do
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if out.do != nil {
		t.Error("nothing has changed meanwhile")
	}
	if strings.Contains(out.String(), secret) {
		t.Error("a file from elsewhere was packed")
	}
}

func TestLayersOfAFolder(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.Symlink(other, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other+"/a.tar", make([]byte, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := hostfile.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for layer, good := range map[string]bool{dir: true, other: false, dir + "/link": false, other + "/a.tar": false, dir + "/link/a.tar": false} {
		p := rootfs.NewPacker(new(meddler))
		p.In(folder)
		if err := p.Layer(layer); (err == nil) != good {
			t.Errorf("%s: %v", layer, err)
		}
	}
}
