package guesttest

import (
	"testing"

	"backplane/guest/kernel"
)

// Kernel is a guest kernel. `make kernels` has built it, or the test
// builds it now, which takes minutes.
func Kernel(t testing.TB, virtual bool, want kernel.Recipe) kernel.Image {
	t.Helper()
	b := kernel.Builder{Flavour: kernel.For(virtual), Recipe: want}
	image, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return image
}
