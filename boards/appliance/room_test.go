package appliance

import (
	"slices"
	"testing"

	"backplane/periph/block/image"
)

// TestGrowth: files of one file system are added up, and what it cannot hold is said.
func TestGrowth(t *testing.T) {
	var g growth
	for _, r := range []image.Room{
		{File: "/var/tmp", Device: 1, Grows: 3 << 20, Free: 8 << 20},
		{File: "/home/keep", Device: 2, Grows: 8 << 20, Free: 8 << 20},
		{File: "/var/tmp", Device: 1, Grows: 6 << 20, Free: 8 << 20},
		{File: "/srv", Device: 3},
	} {
		g.add(r)
	}
	want := []string{"disks, and memory in files, can come to use 9 MiB more beside /var/tmp, whose file system has 8 MiB left: a disk that finds none left fails writes"}
	if got := g.notes(); !slices.Equal(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// TestRoom: an overlay can come to take what it has not taken yet.
func TestRoom(t *testing.T) {
	o, err := image.Temporary(nil, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	before := o.Room()
	if err := o.WriteV([][]byte{make([]byte, 1<<20)}, 0); err != nil {
		t.Fatal(err)
	}
	after := o.Room()
	if before.Grows != 64<<20 || after.Grows != 63<<20 || after.Free == 0 || after.Device != before.Device {
		t.Errorf("%+v, and after a write of a MiB %+v", before, after)
	}
	if r := memoryRoom(5); r.Grows != 5 || r.Free == 0 || r.File == "" {
		t.Errorf("memory: %+v", r)
	}
}
