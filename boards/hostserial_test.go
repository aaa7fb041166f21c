package boards_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"
)

// TestSerialToHostIsShut: --restrict refuses a serial port that is given to the host.
func TestSerialToHostIsShut(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.toml":    "name = \"b\"\n[[serial]]\nname = \"uart1\"\n",
		"main.toml": "name = \"a\"\n[[board]]\nname = \"b\"\nfile = \"b.toml\"\n[[serial]]\nname = \"l\"\nports = [\"b.uart1\"]\npty = \"modem\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	want := "main.toml:5:3: the serial link l leads to a pseudo terminal of the host, which --restrict does not allow"
	if err := a.CheckShut(); !a.Outside() || err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("the error is %v", err)
	}
}
