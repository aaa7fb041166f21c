package share_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/periph/share"
	"backplane/periph/virtio/virtiotest"

	"golang.org/x/sys/unix"
)

// body is a message of what follows its length.
func body(rest []byte) []byte {
	if len(rest) < 3 {
		rest = append(rest, 0, 0, 0)
	}
	return append(binary.LittleEndian.AppendUint32(nil, uint32(4+len(rest))), rest...)
}

// message is one of a type, of numbers of 1, 2, 4 and 8 bytes and of strings.
func message(kind byte, tag uint16, fields ...any) []byte {
	rest := binary.LittleEndian.AppendUint16([]byte{kind}, tag)
	for _, f := range fields {
		switch f := f.(type) {
		case byte:
			rest = append(rest, f)
		case uint16:
			rest = binary.LittleEndian.AppendUint16(rest, f)
		case uint32:
			rest = binary.LittleEndian.AppendUint32(rest, f)
		case uint64:
			rest = binary.LittleEndian.AppendUint64(rest, f)
		case string:
			rest = append(binary.LittleEndian.AppendUint16(rest, uint16(len(f))), f...)
		}
	}
	return body(rest)
}

const none = ^uint32(0)

// What a driver begins with: folder 0 is the root.
var (
	version = message(100, 0xffff, uint32(512000), "9P2000.L")
	attach  = message(104, 1, uint32(0), none, "root", "", uint32(0))
)

func walk(to uint32, names ...string) []byte {
	fields := []any{uint32(0), to, uint16(len(names))}
	for _, n := range names {
		fields = append(fields, n)
	}
	return message(110, 2, fields...)
}

func open(fid, flags uint32) []byte { return message(12, 3, fid, flags) }

// client is a driver that has attached to a folder.
type client struct {
	t *testing.T
	d *virtiotest.Driver
}

func newClient(t *testing.T, dir string, writable bool) *client {
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := share.New("share", writable)
	s.Show(root)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &client{t, virtiotest.Start(t, s, 64, 0)}
	c.do(version, 0)
	c.do(attach, 0)
	return c
}

// do sends a message and returns what follows the header of the answer, which is that error or none.
func (c *client) do(m []byte, want unix.Errno) []byte {
	c.t.Helper()
	c.d.Rings[0].Add([][]byte{m}, []int{1 << 10})
	c.d.Kick(0)
	results := c.d.Rings[0].Results()
	if c.d.Failure != nil || len(results) != 1 {
		c.t.Fatalf("message %d is answered by %v, %v", m[4], results, c.d.Failure)
	}
	answer := results[0].Bytes()
	got := unix.Errno(0)
	if answer[4] == 7 {
		got = unix.Errno(binary.LittleEndian.Uint32(answer[7:]))
	}
	if got != want {
		c.t.Errorf("message %d is answered by error %d (%v), want %d (%v)", m[4], got, got, want, want)
	}
	return answer[7:]
}

// TestNothingOutside has a driver that follows links by itself, as Linux does not.
func TestNothingOutside(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	for name, text := range map[string]string{"inside/sub/file": "in", "secret": "out"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"up": "..", "secret": "../secret", "etc": "/etc"} {
		if err := os.Symlink(to, filepath.Join(inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(inside, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, writable := range []bool{false, true} {
		c := newClient(t, inside, writable)
		c.do(walk(1, "sub", "file"), 0)
		c.do(open(1, 0), 0)
		if got := string(c.do(message(116, 4, uint32(1), uint64(0), uint32(10)), 0)); !strings.HasSuffix(got, "in") {
			t.Errorf("the file has %q", got)
		}
		c.do(walk(2, "up", "secret"), unix.EINVAL)
		c.do(walk(2, "etc", "passwd"), unix.EINVAL)
		c.do(walk(2, ".."), unix.EINVAL)
		c.do(walk(2, "sub/file"), unix.EINVAL)
		c.do(walk(2, "secret"), 0)
		c.do(open(2, 0), unix.EINVAL) // a link
		c.do(walk(3, "pipe"), 0)
		c.do(open(3, 0), unix.ENXIO)
		c.do(message(108, 9, uint16(9)), 0)                                                  // Tflush of itself
		c.do(message(32, 9, uint32(0), "user.a", uint64(1<<40), uint32(0)), unix.EOPNOTSUPP) // Txattrcreate
	}
}

// TestReadOnly has a driver send what changes a folder that it may not change.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, dir, false)
	c.do(walk(1, "file"), 0)
	c.do(open(1, unix.O_RDWR), unix.EROFS)
	for _, m := range [][]byte{
		message(14, 5, uint32(0), "new", uint32(unix.O_RDWR), uint32(0o644), uint32(0)),
		message(16, 5, uint32(0), "link", "file", uint32(0)),
		message(72, 5, uint32(0), "folder", uint32(0o755), uint32(0)),
		message(74, 5, uint32(0), "file", uint32(0), "other"),
		message(76, 5, uint32(0), "file", uint32(0)),
		message(118, 5, uint32(1), uint64(0), uint32(1), byte('x')),
		message(122, 5, uint32(1)),
	} {
		c.do(m, unix.EROFS)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

// TestManyFiles has a driver open files until there are too many, and then others.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, dir, false)
	const most = 512
	for i := range uint32(most) {
		c.do(walk(1+i, "file"), 0)
		c.do(open(1+i, 0), 0)
	}
	c.do(walk(most+1, "file"), 0)
	c.do(open(most+1, 0), unix.ENFILE)
	c.do(message(120, 6, uint32(1)), 0) // Tclunk
	c.do(open(most+1, 0), 0)
}

// TestBadMessages has a driver that says something else than it sends.
func TestBadMessages(t *testing.T) {
	for name, m := range map[string][]byte{"none": {}, "short": {5, 0, 0}, "longer than the buffer": {200, 0, 0, 0, 100, 0, 0}} {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := share.New("share", true)
		s.Show(root)
		d := virtiotest.Start(t, s, 8, 0)
		d.Rings[0].Add([][]byte{m}, []int{100})
		if d.Kick(0); d.Failure == nil {
			t.Errorf("%s: is taken", name)
		}
		s.Close()
	}
}
