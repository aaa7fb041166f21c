package scenarios

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"backplane/boards"
	"backplane/boards/appliance"
)

// TestNoOldReports: a run that comes to no end has no report of an earlier one.
func TestNoOldReports(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"report.json", "junit.xml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("passed"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Play(context.Background(), &Scenario{}, &boards.Appliance{}, appliance.Options{Out: dir, Virtual: true}, Options{})
	if err == nil {
		t.Fatal("an appliance starts at no time at all")
	}
	for _, name := range []string{"report.json", "junit.xml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}
