package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTakeFIFO: a pipe that was left behind is taken over, and one with a writer is not,
// from which nothing is taken.
func TestTakeFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	for _, what := range []string{"a new pipe", "one that was left behind"} {
		if err := TakeFIFO(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := TakeFIFO(path); err != nil {
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
		if err := TakeFIFO(path); err == nil || !strings.Contains(err.Error(), "has a writer already") {
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
	if err := TakeFIFO(path); err == nil {
		t.Error("a file was taken for a pipe")
	}
}
