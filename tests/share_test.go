package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"
)

const sharing = `
name = "b"
memory = "96M"
[firmware]
rootfs = [%q]
args = "loglevel=4"

[[share]]
name = "tools"
path = "tools"
at = "/opt/tools"

[[share]]
name = "work"
path = "work"
at = "/work"
writable = true
`

// TestShare has a guest use folders of the host, while the host changes what is in them.
func TestShare(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		dir := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"tools", "tools/sub", "work"} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write("tools/hello", "#!/bin/sh\necho hello from the host\n")
		write("outside", "secret")
		for name, to := range map[string]string{"away": "../outside", "own": "/proc/sys/kernel/hostname"} {
			if err := os.Symlink(to, filepath.Join(dir, "tools", name)); err != nil {
				t.Fatal(err)
			}
		}
		write("main.toml", fmt.Sprintf(sharing, guesttest.Rootfs(t, "flock")))
		app := guesttest.RunFile(t, filepath.Join(dir, "main.toml"), o)

		expect := func(script, want string) {
			t.Helper()
			if got := app.Sh("b", script); got != want {
				t.Errorf("%s prints\n%swant\n%s", script, got, want)
			}
		}
		expect("/opt/tools/hello", "hello from the host\n")
		expect("ls /opt/tools", "away\nhello\nown\nsub\n")
		expect("cat /opt/tools/own", "b\n") // the guest's own
		expect("cat /opt/tools/away 2>&1 || :", "cat: can't open '/opt/tools/away': No such file or directory\n")
		expect("touch /opt/tools/x 2>&1 || :; mount -o remount,rw /opt/tools; touch /opt/tools/x 2>&1 || :; echo x 2>&1 >>/opt/tools/hello || :",
			"touch: /opt/tools/x: Read-only file system\ntouch: /opt/tools/x: Read-only file system\n/bin/sh: can't create /opt/tools/hello: Read-only file system\n")
		write("tools/hello", "#!/bin/sh\necho edited while it runs\n")
		expect("/opt/tools/hello", "edited while it runs\n")
		expect("stat -c '%u %a %F' /opt/tools/hello", "0 755 regular file\n")

		expect("cd /work; mkdir -p a/b; echo one >a/b/f; ln a/b/f g; ln -s g h; mv a/b/f a/f; cat h; chmod 640 g; stat -c '%a %h' g; rm a/f; rmdir a/b a; ls -l | wc -l", "one\n640 2\n3\n")
		if text, err := os.ReadFile(filepath.Join(dir, "work/g")); err != nil || string(text) != "one\n" {
			t.Errorf("the host reads %q, %v", text, err)
		}
		expect("cd /work; dd if=/dev/urandom of=big bs=64k count=64 2>/dev/null; cp big copy; sync; echo 3 >/proc/sys/vm/drop_caches; cmp big copy && stat -c %s copy; truncate -s 10 copy; wc -c <copy", "4194304\n10\n")
		expect("cd /work; exec 3>open; rm open; echo gone >&3 && echo written; flock g echo locked 2>&1; mkfifo p 2>&1 || :", "written\nlocked\nmkfifo: p: Operation not permitted\n")
		expect("cat /opt/tools/sub 2>&1 || :; chown 5:5 /work/g 2>&1 || :", "cat: read error: Is a directory\nchown: /work/g: Operation not permitted\n")
		expect("umount /opt/tools /work", "")
		if entries, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(entries) != 4 {
			t.Errorf("the host has %v, %v", entries, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "outside")); err != nil || strings.TrimSpace(string(text)) != "secret" {
			t.Errorf("the file outside has %q, %v", text, err)
		}
	})
}

// TestWritableShareIsNotVerified: a run would begin with what the one before left.
func TestWritableShareIsNotVerified(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "work"), 0o755); err != nil {
		t.Fatal(err)
	}
	share := "name = \"b\"\n[[share]]\nname = \"work\"\npath = \"work\"\nat = \"/work\"\n"
	for _, tt := range []struct {
		what, board string
		status      int
		want        string
	}{
		{"writable", share + "writable = true\n", 2, "board.toml:6:1: b.work is a folder that its board may change"},
		{"read-only", share, 0, ""},
		{"no such folder", strings.Replace(share, "path = \"work\"", "path = \"none\"", 1), 2, "board.toml:4:1: "},
		{"a file", strings.Replace(share, "path = \"work\"", "path = \"board.toml\"", 1), 2, "not a directory"},
		{"the root", strings.Replace(share, "at = \"/work\"", "at = \"/\"", 1), 2, "board.toml:5:1: at is \"/\""},
		{"a mount", strings.Replace(share, "at = \"/work\"", "at = \"/proc\"", 1), 2, "where a board has its proc"},
		{"twice", share + "[[share]]\nname = \"again\"\npath = \".\"\nat = \"/work\"\n", 2, "which is where the board has work"},
	} {
		for name, text := range map[string]string{"board.toml": tt.board, "play.toml": "appliance = \"board.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"ls\", \"/work\"] }\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, errs, status := run(t, nil, "run", "--verify", "2", filepath.Join(dir, "play.toml"))
		if status != tt.status || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: status %d, want %d with %q:\n%s%s", tt.what, status, tt.status, tt.want, out, errs)
		}
	}
}

// TestShutDownWithoutAShare: a board whose shared folder was unplugged while it was mounted restarts and shuts down. Until then its
// driver waits for who has it mounted.
func TestShutDownWithoutAShare(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[share]]\nname = \"tools\"\npath = %q\nat = \"/opt/tools\"\n[[disk]]\nname = \"disk0\"\nsize = \"1M\"\n",
			guesttest.Rootfs(t), t.TempDir())}, o)
		plugged(t, app, appliance.Unplug, "b.tools")
		plugged(t, app, appliance.Unplug, "b.disk0")
		present(app, "b", "! [ -e /sys/block/vda ]")
		app.StartCommand("b", "/bin/reboot", "-f")
		untilState(app, "b", appliance.StateUp)
		app.Sh("b", "! [ -e /opt/tools ] || ! mount | grep /opt/tools")
		plugged(t, app, appliance.Plug, "b.tools")
		present(app, "b", "mount | grep -q /opt/tools")
		plugged(t, app, appliance.Unplug, "b.tools")
		if err := app.Running.PowerOff("b"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "b", appliance.StateOff)
		for _, e := range app.Events() {
			if line, _ := e.Get("line"); strings.HasPrefix(line, "init: ") || strings.Contains(line, "WARNING") {
				t.Errorf("the event %s", e.AppendJSON(nil))
			}
		}
	})
}
