package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLedger: what is added is found; what comes after a gap is not, also when the gap is filled.
func TestLedger(t *testing.T) {
	const size = 8 * blockSize
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := func(last uint64) *ledger {
		t.Helper()
		l, err := openLedger(f, size)
		if err != nil || l.last != last {
			t.Fatalf("it finds %d, %v, want %d", l.last, err, last)
		}
		return l
	}
	l := want(0)
	for range 8 {
		if err := l.add(); err != nil {
			t.Fatal(err)
		}
	}
	if want(8).add() == nil {
		t.Error("a full disk takes more")
	}
	if _, err := f.WriteAt([]byte{0xff}, 5*blockSize+100); err != nil {
		t.Fatal(err)
	}
	if err := want(5).add(); err != nil {
		t.Fatal(err)
	}
	want(6)
}

// TestWitness: it misses what was committed and is not found.
func TestWitness(t *testing.T) {
	var w witness
	for _, c := range []struct{ line, want string }{
		{"found 0", "all 0 entries are there"}, {"committed 1", ""}, {"committed 2", ""}, {"comm", ""}, {"", ""},
		{"found 3", "all 2 entries are there"}, {"committed 4", ""}, {"found 2", "lost: entries 3 to 4"}, {"found 2", "all 2 entries are there"},
	} {
		if got := w.hear(c.line); got != c.want {
			t.Errorf("%q: it says %q, want %q", c.line, got, c.want)
		}
	}
}
