package appliance

import (
	"context"
	"fmt"

	"backplane/boards"
	guestkernel "backplane/guest/kernel"
)

// kernel finds or builds a board's kernel.
func (r *Running) kernel(ctx context.Context, m *boards.Member) (guestkernel.Image, error) {
	want, err := m.Board.Recipe(r.appliance.Folder())
	if err != nil {
		return guestkernel.Image{}, err
	}
	// In real time a board with one CPU is better off with the flavour for one,
	// too: docs/benchmarks.md says by how much.
	image, err := r.opts.Kernel(ctx, r.opts.Virtual || m.Board.CPUs == 1, want)
	if err != nil {
		return guestkernel.Image{}, fmt.Errorf("board %s: kernel: %w", m.Name, m.Board.PlaceKernel(err))
	}
	return image, nil
}
