package record

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"backplane/simbus/costtest"
)

// FuzzRecord reads the marks of a record.
func FuzzRecord(f *testing.F) {
	f.Add(`{"virtual": true, "name": "a", "parts": [{"what": "kernel", "sha256": "00"}]}`, `{"end_ns": 1, "files": [{"name": "run.json", "bytes": 5}, {"name": "../x", "bytes": 1}]}`)
	f.Fuzz(func(t *testing.T, run, end string) {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, ManifestFile), []byte(run), 0o644), os.WriteFile(filepath.Join(dir, EndFile), []byte(end), 0o644)); err != nil {
			t.Fatal(err)
		}
		costtest.Of(len(run)+len(end)).Run(t, func() {
			if m, err := LoadManifest(dir); (m == nil) == (err == nil) {
				t.Errorf("a manifest and an error, or neither: %v, %v", m, err)
			}
			_ = Check(dir) // whatever it says
		})
	})
}
