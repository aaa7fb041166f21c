package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"backplane/tests/guesttest"
)

// TestPyserialSuite runs pyserial's own tests of one port on a loop-back plug. BACKPLANE_PYSERIAL is a folder
// with its source.
func TestPyserialSuite(t *testing.T) {
	source := os.Getenv("BACKPLANE_PYSERIAL")
	if source == "" {
		t.Skip("BACKPLANE_PYSERIAL names no folder with pyserial's source, whose tests no Debian package has")
	}
	real, err := filepath.EvalSymlinks("/usr/bin/python3")
	if err != nil {
		t.Fatal(err)
	}
	root := guesttest.Rootfs(t, real)
	for _, from := range []string{filepath.Join("/usr/lib", filepath.Base(real)), source} {
		to := map[bool]string{true: "root/pyserial", false: "usr/lib"}[from == source]
		if out, err := exec.Command("sh", "-c", fmt.Sprintf("mkdir -p %[2]s && cp -a %[1]s %[2]s", from, filepath.Join(root, to))).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	board := fmt.Sprintf("name = \"a\"\nmemory = \"256M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[gpio]]\nname = \"g\"\nlines = [\"rts\", \"dtr\"]\n"+
		"[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\ndriver_enable = \"rts\"\npins = { rts = \"g.rts\", cts = \"g.rts\", dtr = \"g.dtr\", dsr = \"g.dtr\", dcd = \"g.dtr\" }\n", root)
	files := map[string]string{"a.toml": board, "main.toml": "name = \"bus\"\n[[board]]\nfile = \"a.toml\"\n[[rs485]]\nname = \"loop\"\nports = [\"a.uart1\"]\n"}
	app := guesttest.Run(t, files, guesttest.Options{Seed: 1}) // in real time its tests of what comes at once depend on the host
	out := app.Sh("a", fmt.Sprintf("ip link set lo up; cd /root/pyserial/%s/test; %s run_all_tests.py /dev/ttyS1 2>&1", filepath.Base(source), real))
	wants(t, out, "Ran 64 tests", "OK (skipped=1)")
}
