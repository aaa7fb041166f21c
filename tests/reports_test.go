package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplayOfChangedReports: what judges a run belongs to its record. A report
// that was edited is found, also one that is as long as it was.
func TestReplayOfChangedReports(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": "name = \"b\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"a\"]\n",
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nset = { \"b.gpio0.a\" = 1 }\n",
	})
	record := filepath.Join(dir, "r")
	if out, errs, status := run(t, nil, "run", "--out", record, filepath.Join(dir, "s.toml")); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 0 || !strings.HasPrefix(out, "SAME: ") {
		t.Fatalf("the whole record: status %d\n%s%s", status, out, errs)
	}
	for _, name := range []string{"report.json", "junit.xml"} {
		path := filepath.Join(record, name)
		was, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(was, []byte("b.toml"), []byte("c.toml")), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, errs, status := run(t, nil, "replay", record)
		if status != 1 || strings.Contains(out, "SAME") || !strings.Contains(out, name+" was changed after the run had ended") {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
		if err := os.WriteFile(path, was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
