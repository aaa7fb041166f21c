package doctor

import (
	"errors"
	"os"
	"strings"
	"testing"

	"backplane/guest"
	"backplane/guest/counter"

	"golang.org/x/sys/unix"
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

// TestNeed: boards that the host cannot hold even at first are refused, with the sums, and it
// is said if it cannot hold all that they can come to use.
func TestNeed(t *testing.T) {
	const tera = 1 << 40
	tests := []struct {
		name         string
		boards       int
		size         uint64
		backing      guest.Backing
		want, excess string
	}{
		{"one small board", 1, 64 << 20, guest.RAM, "", ""},
		{"as a file", 1, 64 << 20, guest.File, "", ""},
		{"more than memory holds", 64, 4 * tera, guest.RAM, "64 boards need at least 4195328 MiB of memory before they do anything, 1024 for their kernels and 4194304 for page arrays", ""},
		{"more than the disk holds", 512, 64 * tera, guest.File, "boards with memory in files need at least 536870912 MiB there for page arrays", ""},
		{"more than the disk can come to hold", 1, 60 * tera, guest.File, "", "62914560 MiB in "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n Need
			for range tt.boards {
				n.Add(tt.size, tt.backing)
			}
			dir := t.TempDir()
			var st unix.Statfs_t
			if err := unix.Statfs(dir, &st); err == nil && tt.excess != "" && st.Bavail*uint64(st.Bsize) < tt.size/64 {
				t.Skip("the folder for temporary files has less than a terabyte")
			}
			excess, err := n.Check(dir)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if (excess == "") != (tt.excess == "") || !strings.HasPrefix(excess, tt.excess) {
				t.Errorf("more than there is: %q, want %q", excess, tt.excess)
			}
		})
	}
}

func TestHolds(t *testing.T) {
	for _, b := range []guest.Backing{guest.RAM, guest.File} {
		if err := Holds(64<<20, b); err != nil {
			t.Errorf("%s: 64 MiB: %v", b, err)
		}
		if err := Holds(1<<47, b); err == nil || !strings.Contains(err.Error(), "a board of 134217728 MiB") {
			t.Errorf("%s: all that can be addressed: %v", b, err)
		}
	}
}

func TestMeminfo(t *testing.T) {
	const text = "MemTotal: 7 kB\nMemAvailable:    2048 kB\n"
	if n, ok := meminfo(text, "MemAvailable:"); !ok || n != 2<<20 {
		t.Errorf("got %d, %v, want 2 MiB", n, ok)
	}
	if _, ok := meminfo(text, "MemFree:"); ok {
		t.Error("found what is not there")
	}
}

// TestCounter: what is told of the counter is the same each time, and the thread that looks at
// it leaves others their counter, by which they read the time.
func TestCounter(t *testing.T) {
	first := Counter()
	if first != nil && !errors.Is(first, errCounter) {
		t.Error(first)
	}
	for range 100 {
		if err := Counter(); err != first {
			t.Fatalf("%v, and %v before", err, first)
		}
		counter.Read() // ends the program on a thread that was left without
	}
}
