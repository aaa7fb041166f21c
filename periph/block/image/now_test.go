package image

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"backplane/simbus/hostfile"

	"pgregory.net/rapid"
)

// TestNow mixes what is done at once with what is not, over a raw image, and cuts the
// power: it is what a plain slice of bytes is.
func TestNow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "raw.img")
	base := make([]byte, testBlocks*BlockSize)
	for i := range base {
		base[i] = byte(i / SectorSize)
	}
	if err := os.WriteFile(name, base, 0o600); err != nil {
		t.Fatal(err)
	}
	reads, writes := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		below, err := Open(name, hostfile.Open)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Temporary(below, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		c := NewCache(o, int64(rapid.SampledFrom([]int{0, 1 << 30}).Draw(t, "limit")))
		now, flushed := bytes.Clone(base), bytes.Clone(base)
		for range 40 {
			first := int64(rapid.IntRange(0, testBlocks-1).Draw(t, "first"))
			n := int64(rapid.IntRange(1, int(min(5, testBlocks-first))).Draw(t, "blocks")) * BlockSize
			off := first * BlockSize
			data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "data")}, int(n))
			op := rapid.IntRange(0, 9).Draw(t, "op")
			through := op == 0
			switch {
			case op < 6:
				if op < 4 && c.WriteNow([][]byte{data[:100], data[100:]}, off, through) {
					writes++
				} else {
					err = c.WriteV([][]byte{data}, off, through)
				}
				copy(now[off:], data)
			case op == 6:
				err = c.Zero(off, n, false)
				clear(now[off : off+n])
			case op == 7:
				_, err = c.Cut(nil)
				copy(now, flushed)
			case op == 8:
				err = o.Flush()
				c.Settle()
				copy(flushed, now)
			default:
				if got := make([]byte, n); o.ReadNow([][]byte{got[:7], got[7:]}, off) {
					if reads++; !bytes.Equal(got, now[off:off+n]) {
						t.Fatalf("%d bytes at %d are others at once", n, off)
					}
				}
			}
			if through || c.limit == 0 {
				copy(flushed, now)
			}
			got := make([]byte, len(now))
			if err = errors.Join(err, o.ReadV([][]byte{got}, 0)); err != nil || !bytes.Equal(got, now) {
				t.Fatalf("it is not what was written: %v", err)
			}
		}
	})
	if reads == 0 || writes == 0 {
		t.Errorf("%d reads and %d writes were done at once", reads, writes)
	}
}
