package boards_test

import (
	"os"
	"path/filepath"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"
)

// TestCheckRoots finds an init that is not there before anything boots, once for all
// boards of a file, and names what was probably meant.
func TestCheckRoots(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.toml":         "name = 'b'\n[firmware]\nrootfs = ['root']\ninit = '/bin/appd'\n",
		"good.toml":      "name = 'good'\n[firmware]\nrootfs = ['root']\ninit = '/bin/app'\n",
		"a.toml":         "name = 'a'\n[[board]]\nfile = 'b.toml'\nname = 'b1'\n[[board]]\nfile = 'b.toml'\nname = 'b2'\n",
		"root/bin/app":   "static",
		"root/bin/other": "static",
	} {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"a.toml":    filepath.Join(dir, "b.toml") + `:4:1: init cannot be run: there is no /bin/appd in the root file system: did you mean "/bin/app"?`,
		"good.toml": "",
	} {
		a, err := boards.Load(filepath.Join(dir, name), catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := a.CheckRoots(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
