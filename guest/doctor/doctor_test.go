package doctor

import (
	"os"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := Folder(dir); err != nil {
		t.Errorf("a good folder: %v", err)
	}
	if err := Folder("/proc"); err == nil || !strings.Contains(err.Error(), "cannot create a file in /proc") {
		t.Errorf("a folder where nothing can be written: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestProbe looks for the file of a probe while it is open: a program that is
// killed then must leave nothing.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	f, err := probe(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a probe has the names %v, %v", left, err)
	}
}

func TestMemory(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name   string
		boards []uint64
		want   string
	}{
		{"one small board", []uint64{64 << 20}, ""},
		{"more than can be mapped", []uint64{1 << 47}, "a board of 134217728 MiB"},
		{"more than there is", []uint64{1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42, 1 << 42}, "16 boards need at least"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Memory(dir, tt.boards)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseAvailable(t *testing.T) {
	if n, ok := parseAvailable("MemTotal: 7 kB\nMemAvailable:    2048 kB\n"); !ok || n != 2<<20 {
		t.Errorf("got %d, %v, want 2 MiB", n, ok)
	}
	if _, ok := parseAvailable("MemTotal: 7 kB\n"); ok {
		t.Error("found what is not there")
	}
}
