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
	return d.Reads(t, 2)
}

func TestReadAllocatesNothing(t *testing.T) { virtiotest.AllocatesNothing(t, reads(t)) }

func BenchmarkRead(b *testing.B) { virtiotest.BenchmarkReads(b, reads(b)) }
