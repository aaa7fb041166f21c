package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneMistakeOnce: a mistake in a file that several files use is said once.
func TestOneMistakeOnce(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, text := range map[string]string{
		"b.toml":  "name = 'b'\nzpus = 2\n",
		"i.toml":  "[[step]]\nwiat = '1s'\nwait = '1s'\n",
		"s1.toml": "appliance = 'b.toml'\n[[step]]\ninclude = 'i.toml'\n",
		"s2.toml": "appliance = 'b.toml'\n[[step]]\ninclude = 'i.toml'\n",
		"a1.toml": "name = 'a1'\n[[board]]\nfile = 'b.toml'\n",
		"a2.toml": "name = 'a2'\n[[board]]\nfile = 'b.toml'\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "b.toml" && name != "i.toml" {
			files = append(files, path)
		}
	}
	root := newRoot(newProgramLog())
	root.SetArgs(append([]string{"check"}, files...))
	err := root.ExecuteContext(t.Context())
	if err == nil {
		t.Fatal("nothing was found")
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 || !strings.Contains(err.Error(), "zpus") || !strings.Contains(err.Error(), "wiat") {
		t.Errorf("two mistakes are told as\n%v", err)
	}
}
