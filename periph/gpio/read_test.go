package gpio_test

import (
	"testing"

	"backplane/periph/gpio"
	"backplane/periph/virtio/virtiotest"
)

// reads is a driver that reads a line again and again.
func reads(t testing.TB) (again func()) {
	d := virtiotest.Start(t, gpio.New("gpio0", []string{"a"}), 16, 0)
	r := d.Rings[0]
	r.Add([][]byte{{4, 0, 0, 0, 0, 0, 0, 0}}, []int{2})
	return d.Reads(t, 1)
}

func TestReadAllocatesNothing(t *testing.T) { virtiotest.AllocatesNothing(t, reads(t)) }

func BenchmarkRead(b *testing.B) { virtiotest.BenchmarkReads(b, reads(b)) }
