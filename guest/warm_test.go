package guest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestWarm: the end of a large memory, where the page array will be, has its pages before the kernel starts, and the
// rest has none. A small memory has what a kernel writes to while it boots, as far as the host has huge pages.
func TestWarm(t *testing.T) {
	for _, tt := range []struct {
		name        string
		size        int64
		least, most int64 // bytes that have pages
		first       int64 // of them
	}{
		{"4 GiB", 4 << 30, 4<<30/64 + arrayRest, 4<<30/64 + arrayRest + warmChunk, 4<<30 - 4<<30/64 - arrayRest - warmChunk},
		{"64 MiB", 64 << 20, 7 * 4096, 14 << 20, 12 << 20},
		{"24 MiB", 24 << 20, 3 * 4096, 6 << 20, 12 << 20},
		{"1 MiB", 1 << 20, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := RAM.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			warm(f, tt.size, RAM)
			var st unix.Stat_t
			if err := unix.Fstat(int(f.Fd()), &st); err != nil {
				t.Fatal(err)
			}
			if has := st.Blocks * 512; has < tt.least || has > tt.most {
				t.Errorf("%d bytes have pages, want %d to %d", has, tt.least, tt.most)
			}
			if first, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA); tt.least > 0 && (err != nil || first < tt.first || st.Size != tt.size) {
				t.Errorf("the first page of %d bytes is at %d, %v", st.Size, first, err)
			}
		})
	}
}
