package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestRootLayers has a kernel unpack what layers are made of: a merged /usr under a
// project's folder, sparse files, hard links of which one is replaced.
func TestRootLayers(t *testing.T) {
	base, over := guesttest.Rootfs(t), t.TempDir()
	script := `
mkdir -p "$base/usr/bin" "$over/bin"
mv "$base"/bin/* "$base/usr/bin/"; rmdir "$base/bin"; ln -s usr/bin "$base/bin"
echo old > "$base/one"; ln "$base/one" "$base/other"; ln "$base/one" "$base/third"
truncate -s 1M "$base/sparse"; printf x | dd of="$base/sparse" bs=1 seek=500000 conv=notrunc status=none
tar -C "$base" -S --format=gnu -cf "$over.tar" .
printf '#!/bin/sh\necho app\n' > "$over/bin/app"; chmod +x "$over/bin/app"; echo new > "$over/other"
`
	cmd := exec.Command("sh", "-euc", script)
	cmd.Env = append(os.Environ(), "base="+base, "over="+over)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { os.Remove(over + ".tar") })
	app := guesttest.Run(t, map[string]string{"main.toml": "name = \"b\"\n[firmware]\nrootfs = [\"" + over + ".tar\", \"" + over + "\"]\n"}, guesttest.Options{Seed: 1})
	got := app.Sh("b", `app; test -L /bin && echo merged; cat /one /other /third; wc -c < /sparse; dd if=/sparse bs=1 skip=500000 count=1 2>/dev/null; echo
		test /one -ef /third && echo linked; ls /bin/busybox`)
	if want := "app\nmerged\nold\nnew\nold\n1048576\nx\nlinked\n/bin/busybox\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRootTooLarge has more files than a board's memory holds, small as they are.
func TestRootTooLarge(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 3_000 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint(i)), []byte{'x'}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	board, scenario := filepath.Join(dir, "b.toml"), filepath.Join(dir, "s.toml")
	if err := os.WriteFile(board, []byte("name = \"b\"\nmemory = \"32M\"\n[firmware]\nrootfs = [\"root\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(scenario, []byte("appliance = \"b.toml\"\n[[step]]\nwait = \"1ms\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, status := run(t, nil, "run", scenario)
	need := regexp.MustCompile(`b.toml:2:1: memory is 32M; it must be at least (\d+M): the root file system's 300\d files`).FindStringSubmatch(errs)
	if status != 2 || need == nil {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	// And what it says is enough.
	if err := os.WriteFile(board, []byte("name = \"b\"\nmemory = \""+need[1]+"\"\n[firmware]\nrootfs = [\"root\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := run(t, nil, "run", scenario); status != 0 {
		t.Errorf("with %s: status %d\n%s%s", need[1], status, out, errs)
	}
}

// TestBoardWithoutRoot has a shell and what goes with it, unless its file says that its
// root is empty.
func TestBoardWithoutRoot(t *testing.T) {
	app := guesttest.Run(t, map[string]string{"main.toml": "name = \"b\"\nmemory = \"32M\"\n"}, guesttest.Options{Seed: 1})
	if got := app.Do("b", "/bin/cat", "/proc/sys/kernel/hostname"); got != "b\n" {
		t.Errorf("its host name is %q", got)
	}
	app = guesttest.Run(t, map[string]string{"main.toml": "name = \"b\"\n[firmware]\nrootfs = []\n"}, guesttest.Options{Seed: 1})
	app.StartCommand("b", "/bin/cat", "/proc/sys/kernel/hostname")
	e := app.Until(time.Second, "the end of cat", func(e *simbus.Event) bool { return e.Kind == appliance.KindExec })
	if status, _ := e.Get("status"); status != "127" {
		t.Errorf("on a board with an empty root cat ends with status %s", status)
	}
}
