package boards_test

import (
	"os"
	"path/filepath"
	"strings"
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
		"arm.toml":       "name = 'arm'\n[firmware]\nrootfs = ['root']\ninit = '/bin/arm'\n",
		"armed.toml":     "name = 'armed'\n[firmware]\nrootfs = ['root']\ninit = '/bin/arm'\narch = 'arm64'\n",
		"risc.toml":      "name = 'risc'\n[firmware]\nrootfs = ['root']\ninit = '/bin/arm'\narch = 'riscv64'\n",
		"mips.toml":      "name = 'mips'\n[firmware]\nrootfs = ['root']\ninit = '/bin/mips'\n",
		"root/bin/arm":   "\x7fELF\x02\x01" + strings.Repeat("\x00", 12) + "\xb7" + strings.Repeat("\x00", 64),
		"root/bin/mips":  "\x7fELF\x01\x01" + strings.Repeat("\x00", 12) + "\x08" + strings.Repeat("\x00", 64),
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
		"a.toml":     filepath.Join(dir, "b.toml") + `:4:1: init cannot be run: there is no /bin/appd in the root file system: did you mean "/bin/app"?`,
		"good.toml":  "",
		"arm.toml":   filepath.Join(dir, "arm.toml") + `:4:1: init cannot be run: /bin/arm runs on arm64: write arch = "arm64" in [firmware]`,
		"armed.toml": "",
		"risc.toml":  filepath.Join(dir, "risc.toml") + `:4:1: init cannot be run: /bin/arm runs on arm64: write arch = "arm64" in [firmware]`,
		"mips.toml":  filepath.Join(dir, "mips.toml") + `:4:1: init cannot be run: /bin/mips runs on another machine (EM_MIPS); boards have programs for amd64, arm64, armhf, riscv64`,
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
