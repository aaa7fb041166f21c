package guesttest

import (
	"testing"

	"backplane/guest/kernel"
)

// Kernel is the path of a guest kernel. `make kernels` has built it, or the test
// builds it now, which takes minutes.
func Kernel(t testing.TB, virtual bool, want kernel.Recipe) string {
	t.Helper()
	b := kernel.Builder{Flavour: kernel.For(virtual), Recipe: want}
	path, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return path
}
