package tests

import (
	"path/filepath"
	"strings"
	"testing"
)

const fieldReplacement = "scenarios/field-replacement/field-replacement.toml"

// TestFieldReplacement swaps a sensor, a disk and a card of a running appliance: each run in
// virtual time is the same, as is the replay of one, and in real time it passes as well.
func TestFieldReplacement(t *testing.T) {
	t.Parallel()
	verified(t, fieldReplacement, 2)
	dir := filepath.Join(t.TempDir(), "record")
	if out, errs, status := run(t, nil, "run", fieldReplacement, "--out", dir); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := run(t, nil, "replay", dir); status != 0 || !strings.Contains(out, "SAME: field-replacement, ") {
		t.Errorf("replay: status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := run(t, nil, "run", fieldReplacement, "--clock", "real"); status != 0 || !strings.Contains(out, "PASSED: field-replacement") {
		t.Errorf("in real time: status %d\n%s%s", status, out, errs)
	}
}
