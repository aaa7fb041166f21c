package capture

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTakePipe: a pipe that was left behind is taken over, and one with a writer is not,
// from which nothing is taken.
func TestTakePipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	for _, what := range []string{"a new pipe", "one that was left behind"} {
		if err := take(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := take(path); err != nil {
		t.Errorf("one that somebody reads: %v", err)
	}
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for _, text := range []string{"", "frames"} {
		if _, err := writer.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := take(path); err == nil || !strings.Contains(err.Error(), "already writes to") {
			t.Errorf("a pipe with a writer and %q in it: %v", text, err)
		}
	}
	b := make([]byte, 9)
	if n, err := reader.Read(b); string(b[:n]) != "frames" {
		t.Errorf("its reader has %q, %v", b[:n], err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := take(path); err == nil {
		t.Error("a file was taken for a pipe")
	}
}

func take(path string) error {
	p, err := TakePipe(path)
	if err == nil {
		err = p.Close()
	}
	return err
}

// TestPipeThatIsReplaced has somebody put a link, or nothing, in the place of a pipe that
// waits for its reader: nothing goes to where the link leads, the end does not wait for
// ever, and what is not ours stays.
func TestPipeThatIsReplaced(t *testing.T) {
	for _, what := range []string{"nothing", "a link"} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			path, file := filepath.Join(dir, "live"), filepath.Join(dir, "file")
			if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			served := make(chan bool, 1)
			f, err := NewFIFO(path, func(io.Writer) (*Live, error) {
				served <- true
				return nil, errors.New("nobody should be served")
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if what == "a link" {
				if err := os.Symlink(file, path); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if text, err := os.ReadFile(file); len(served) > 0 || err != nil || string(text) != "mine" {
				t.Errorf("%d served; the file has %q, %v", len(served), text, err)
			}
			if _, err := os.Lstat(path); (err == nil) != (what == "a link") {
				t.Errorf("what is in its place: %v", err)
			}
		})
	}
}
