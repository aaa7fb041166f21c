package hostfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/simbus/hostfile"
)

// TestContents: a missing file is made, one of the right size is read, and no other is touched.
func TestContents(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "part.bin")
	want := []byte("\xff\xff\xff\xff")
	for _, when := range []string{"missing", "made"} {
		if got, err := hostfile.Contents(name, 4, 0xff); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: % x, %v", when, got, err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the file has % x, %v", when, got, err)
		}
	}
	if err := hostfile.Replace(name, []byte("abcd")); err != nil {
		t.Fatal(err)
	}
	if got, err := hostfile.Contents(name, 4, 0xff); err != nil || string(got) != "abcd" {
		t.Errorf("replaced: %q, %v", got, err)
	}
	for size, text := range map[int]string{3: "has more than 3 bytes, and must have 3", 5: "has 4 bytes, and must have 5"} {
		if _, err := hostfile.Contents(name, size, 0xff); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%d bytes are wanted: %v, want %q", size, err, text)
		}
	}
	if err := hostfile.Replace(dir, nil); err == nil {
		t.Error("a folder is replaced")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v (%v), want the file alone", left, err)
	}
}
