package verify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"backplane/boards/record"
	"backplane/simbus"
)

// Runs says how to run something several times.
type Runs struct {
	N     int
	Start time.Time // wall-clock time in the boards at switch-on
	// Dir is where the first run's record stays, in the folder run-1, and that
	// of a run that differs beside it. Empty: nothing stays.
	Dir string
	// Play does one run, counted from 1, and records it in the folder.
	Play func(ctx context.Context, run int, record string) error
}

// Result is what came of the runs.
type Result struct {
	Runs   int    // how many there were
	Digest string // of the first
	// Difference is nil if all were the same; else it is between the first run
	// and the last.
	Difference *Difference
	Kept       []string // folders of the records that stay
}

// Run runs, up to the first run that is not the same as the first one. Only two
// records exist at a time.
func (r *Runs) Run(ctx context.Context) (*Result, error) {
	dir, err := r.dir()
	if err != nil {
		return nil, err
	}
	if r.Dir == "" {
		defer os.RemoveAll(dir)
	}
	folder := func(run int) string { return filepath.Join(dir, fmt.Sprintf("run-%d", run)) }
	result := &Result{Kept: []string{folder(1)}}
	for run := 1; run <= r.N; run++ {
		if err := r.Play(ctx, run, folder(run)); err != nil {
			return nil, fmt.Errorf("run %d of %d: %w", run, r.N, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := record.Check(folder(run)); err != nil {
			return nil, fmt.Errorf("run %d of %d: %w", run, r.N, err)
		}
		result.Runs = run
		if run == 1 {
			if result.Digest, err = Digest(folder(1)); err != nil {
				return nil, err
			}
			continue
		}
		if result.Difference, err = (Comparison{Start: r.Start}).Compare(folder(1), folder(run)); err != nil {
			return nil, err
		}
		if result.Difference != nil {
			result.Kept = append(result.Kept, folder(run))
			break
		}
		if err := os.RemoveAll(folder(run)); err != nil {
			return nil, err
		}
	}
	if r.Dir == "" {
		result.Kept = nil
	}
	return result, nil
}

// dir makes the folder of the records, without those of an earlier time.
func (r *Runs) dir() (string, error) {
	if r.Dir == "" {
		return os.MkdirTemp("", "backplane-verify-")
	}
	old, err := filepath.Glob(filepath.Join(r.Dir, "run-[0-9]*"))
	if err != nil {
		return "", err
	}
	for _, path := range old {
		if err := os.RemoveAll(path); err != nil {
			return "", err
		}
	}
	return r.Dir, os.MkdirAll(r.Dir, 0o755)
}

// Text tells people of the difference; first and second say whose records they are.
func (d *Difference) Text(first, second string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "first difference: %s of %s", d.Where, filepath.ToSlash(d.Stream))
	if d.Time != simbus.Never {
		fmt.Fprintf(&b, ", at %s", d.Time)
	}
	if d.Board != "" {
		fmt.Fprintf(&b, ", on board %s", d.Board)
	}
	list := func(heading string, lines []string, otherwise string) {
		if len(lines) == 0 {
			lines = []string{otherwise}
		}
		fmt.Fprintf(&b, "\n%s:", heading)
		for _, l := range lines {
			b.WriteString("\n  " + l)
		}
	}
	list("both have", d.Common, "(nothing before it)")
	list(first+" goes on", d.First, "(it ends here)")
	list(second+" goes on", d.Second, "(it ends here)")
	if len(d.Also) > 0 {
		fmt.Fprintf(&b, "\nalso different: %s", strings.Join(d.Also, ", "))
	}
	return b.String()
}
