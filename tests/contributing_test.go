package tests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestContributedChip follows what CONTRIBUTING.md says of a chip, in a copy of the
// program's source that has nothing but what it says more.
func TestContributedChip(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```go\n")
	chip, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("CONTRIBUTING.md has no chip")
	}
	all, err := os.ReadFile("../periph/chips/all.go")
	if err != nil {
		t.Fatal(err)
	}
	longer := strings.NewReplacer("\tlm75.TMP102,\n", "\ttc74.Model,\n\tlm75.TMP102,\n",
		"import (\n", "import (\n\t\"backplane/periph/chips/tc74\"\n").Replace(string(all))
	dir, files := t.TempDir(), make(map[string]string)
	for name, source := range map[string]string{"tc74/tc74.go": chip, "all.go": longer} {
		old, err := filepath.Abs("../periph/chips/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[old] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(files[old], []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		t.Fatal(err)
	}
	board := "name = \"b\"\n[[i2c]]\nname = \"i2c0\"\n[[i2c.chip]]\nname = \"temp0\"\nmodel = \"tc74\"\naddress = 0x4d\ntemperature = 21.5\n"
	for name, text := range map[string]string{"overlay.json": string(overlay), "b.toml": board, "bad.toml": strings.Replace(board, "0x4d", "0x50", 1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) (string, error) {
		out, err := exec.Command(name, args...).CombinedOutput()
		return string(out), err
	}
	overlaid := "-overlay=" + filepath.Join(dir, "overlay.json")
	if out, err := run("gofmt", "-l", filepath.Join(dir, "tc74.go")); err != nil || out != "" {
		t.Errorf("gofmt would write it otherwise: %s %v", out, err)
	}
	// vet goes into the chip's folder, which is in the overlay alone
	if out, err := run("go", "test", overlaid, "-vet=off", "-v", "-run", "TestAll/tc74$", "backplane/periph/chips"); err != nil || !strings.Contains(out, "--- PASS: TestAll/tc74") {
		t.Fatalf("the rules of the catalog: %v\n%s", err, out)
	}
	bin := filepath.Join(dir, "backplane")
	if out, err := run("go", "build", overlaid, "-o", bin, "backplane/cmd/backplane"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tt := range []struct{ args, want string }{
		{"check " + dir + "/b.toml", "a board, good"},
		{"check " + dir + "/bad.toml", "0x48"},
		{"parts tc74", "on: i2c, address"},
		{"parts --kernel-config", "CONFIG_SENSORS_TC74=y"},
	} {
		if out, _ := run(bin, strings.Fields(tt.args)...); !strings.Contains(out, tt.want) {
			t.Errorf("%s prints no %q:\n%s", tt.args, tt.want, out)
		}
	}
}
