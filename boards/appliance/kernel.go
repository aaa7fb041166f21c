package appliance

import (
	"context"
	"errors"
	"fmt"

	"backplane/boards"
	"backplane/boards/tomlfile"
)

// kernel finds or builds a board's kernel.
func (r *Running) kernel(ctx context.Context, m *boards.Member) (string, error) {
	want, err := m.Board.Recipe(r.appliance.Folder())
	if err != nil {
		return "", err
	}
	// In real time a board with one CPU is better off with the flavour for one,
	// too: docs/benchmarks.md says by how much.
	path, err := r.opts.Kernel(ctx, r.opts.Virtual || m.Board.CPUs == 1, want)
	var problems tomlfile.Problems
	if errors.As(err, &problems) {
		m.Board.PlaceDebug(problems)
	}
	if err != nil {
		return "", fmt.Errorf("board %s: kernel: %w", m.Name, err)
	}
	return path, nil
}
