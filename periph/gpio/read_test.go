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
	d.Kick(0)
	return func() {
		if n := r.Reuse(); n != 1 {
			t.Fatalf("%d answers, want 1", n)
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
