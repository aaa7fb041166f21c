package i2c_test

import (
	"testing"

	"backplane/periph/i2c"
	"backplane/periph/virtio/virtiotest"
)

// reads is a driver that reads a chip's registers again and again: a pointer, and six
// bytes that are read.
func reads(t testing.TB) (again func()) {
	c := i2c.NewController("i2c0")
	c.OnTransfer = func(uint8, []i2c.Msg, error) {}
	if err := c.Attach(0x50, &memory{}); err != nil {
		t.Fatal(err)
	}
	d := virtiotest.Start(t, c, 16, 1)
	r := d.Rings[0]
	r.Add([][]byte{header(0x50, failNext), {0}}, []int{1})
	r.Add([][]byte{header(0x50, read)}, []int{6, 1})
	d.Kick(0)
	return func() {
		if n := r.Reuse(); n != 2 {
			t.Fatalf("%d answers, want 2", n)
		}
		d.Kick(0)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	again := reads(t)
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Errorf("a read allocates %v times", n)
	}
}

func BenchmarkRead(b *testing.B) {
	again := reads(b)
	b.ReportAllocs()
	for b.Loop() {
		again()
	}
}
