package appliance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/boards/record"
)

// TestContents: what the largest chip has kept is there in the next run, is recorded, and stays as it is where the chip has a copy;
// of what no chip can have there is no copy.
func TestContents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nand.bin")
	main := files{"main.toml": fmt.Sprintf("name = \"b\"\n[[spi]]\nname = \"spi0\"\n[[spi.chip]]\nname = \"nand0\"\nmodel = \"w25n01gv\"\nselect = 0\nfile = %q\n", file)}
	run := func(name, flip string, o appliance.Options) {
		t.Run(name, func(t *testing.T) {
			o.Virtual = true
			r := start(t, ballooning(t), main, o)
			r.up("b")
			r.must(r.Set("b.nand0.flip", flip))
		})
	}
	first := func(name string) byte {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil || len(b) != 65536*2112 {
			t.Fatalf("%s has %d bytes, %v", name, len(b), err)
		}
		return b[0]
	}
	run("new", "0:0", appliance.Options{})
	out := filepath.Join(t.TempDir(), "out")
	run("kept", "0:1", appliance.Options{Out: out})
	if got, recorded := first(file), first(filepath.Join(out, record.ContentsDir, "b.nand0")); got != 0xfc || recorded != 0xfe {
		t.Errorf("the file begins with %#x, and what is recorded with %#x", got, recorded)
	}
	if err := record.Check(out); err != nil {
		t.Error(err)
	}
	run("copied", "0:2", appliance.Options{Copies: true})
	if got := first(file); got != 0xfc {
		t.Errorf("after a run with a copy the file begins with %#x", got)
	}
	if err := os.Truncate(file, 1<<40); err != nil {
		t.Fatal(err)
	}
	want := "board b: nand0: read " + file + ": is longer than 268435456 bytes"
	if _, err := tryStart(t, ballooning(t), main, appliance.Options{Virtual: true, Copies: true}); err == nil || err.Error() != want {
		t.Errorf("a file of a TiB: %v", err)
	}
	if err := os.Truncate(file, 5); err != nil {
		t.Fatal(err)
	}
	want = "board b: nand0: copy of " + file + ": "
	if _, err := tryStart(t, ballooning(t), main, appliance.Options{Virtual: true, Copies: true}); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), " has 5 bytes, and must have 138412032") {
		t.Errorf("a copy of a file of another size: %v", err)
	}
}
