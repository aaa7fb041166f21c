package guest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestWarm: the end of a large memory, where the page array will be, has its pages before the kernel starts, and the
// rest has none. A small memory has none at all.
func TestWarm(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int64
		want int64 // bytes that have pages
	}{{"4 GiB", 4 << 30, 4<<30/64 + arrayRest}, {"64 MiB", 64 << 20, 0}} {
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
			if has := st.Blocks * 512; has < tt.want || has > tt.want+warmChunk {
				t.Errorf("%d bytes have pages, want %d", has, tt.want)
			}
			if tt.want == 0 {
				return
			}
			if first, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA); err != nil || first < tt.size-tt.want-warmChunk || st.Size != tt.size {
				t.Errorf("the first page of %d bytes is at %d, %v", st.Size, first, err)
			}
		})
	}
}
