package virtiotest

import "testing"

// Reads has the driver make the requests of its first queue, of which there are n, again
// and again: each call is once, when the device has answered all.
func (d *Driver) Reads(t testing.TB, n int) (again func()) {
	d.Kick(0)
	return func() {
		if got := d.Rings[0].Reuse(); got != n {
			t.Fatalf("%d answers, want %d", got, n)
		}
		d.Kick(0)
	}
}

// AllocatesNothing wants that of a read.
func AllocatesNothing(t *testing.T, again func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Errorf("a read allocates %v times", n)
	}
}

// BenchmarkReads measures a read.
func BenchmarkReads(b *testing.B, again func()) {
	b.ReportAllocs()
	for b.Loop() {
		again()
	}
}
