package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards/record"
	"backplane/guest"
	"backplane/tests/guesttest"
)

// TestFaultsOfTheHost runs a scenario, whose board fills its memory, on a host that lacks
// something: it ends with what that was, and the record, if there is one, is whole.
func TestFaultsOfTheHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount, limit memory, and be another user")
	}
	root := guesttest.Rootfs(t)
	files := make(map[string]string)
	for _, backing := range []guest.Backing{guest.RAM, guest.File} {
		files[string(backing)+".toml"] = fmt.Sprintf("name = \"b\"\nmemory = \"256M\"\nbacking = %q\n[firmware]\nrootfs = [%q]\n", backing, root)
		files["s"+string(backing)+".toml"] = fmt.Sprintf("appliance = \"%s.toml\"\nstall_limit = \"10s\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"head -c 180000000 /dev/zero >/tmp/x\"] }\n", backing)
	}
	dir := writeFiles(t, files)
	const disk = `truncate -s $SIZE "$DISK" && mkfs.ext4 -q -F -m 0 -O ^has_journal "$DISK" && mount -o loop$OPTIONS "$DISK" "$T"`
	tests := []struct {
		name    string
		backing guest.Backing
		prepare string // a line of shell; $T is TMPDIR
		status  int
		said    string
	}{
		{"a TMPDIR that can only be read", guest.RAM, `mount -t tmpfs -o ro none "$T"`, 3, "read-only file system: set TMPDIR to a folder that can hold boards' files"},
		{"a TMPDIR in which nothing is executed", guest.File, "SIZE=100M OPTIONS=,noexec; " + disk, 3, "is mounted noexec, and guest memory there must be executable"},
		{"a TMPDIR without room for a page array", guest.File, "SIZE=3M; " + disk, 3, "boards with memory in files need at least 4 MiB there for page arrays"},
		// SIGBUS. In virtual time the kernel may have no memory to say so itself.
		{"a TMPDIR that fills up", guest.File, "SIZE=100M; " + disk, 1, "likely just ran out of space"},
		{"memory that runs out", guest.RAM, `mount -t tmpfs none "$T" && echo $$ >"$GROUP/cgroup.procs"`, 1, "the kernel ended: signal: killed: this machine, or what limits this program's memory, ran out of memory"},
		{"few processes", guest.RAM, `set -- prlimit --nproc=10 setpriv --reuid 12345 --regid 12345 --clear-groups "$@"`, 3,
			"processes and threads; this user may have 10, and has 0: raise the limit (ulimit -u"},
	}
	for _, tt := range tests {
		for _, clock := range []string{"virtual", "real"} {
			t.Run(tt.name+" "+clock, func(t *testing.T) {
				tmp, folder := filepath.Join(dir, "tmp"), filepath.Join(t.TempDir(), "record")
				if err := os.MkdirAll(tmp, 0o755); err != nil {
					t.Fatal(err)
				}
				env := []string{"T=" + tmp, "DISK=" + filepath.Join(t.TempDir(), "disk"), "TMPDIR=" + tmp, "XDG_RUNTIME_DIR=" + dir}
				program := backplane(t)
				switch {
				case strings.Contains(tt.prepare, "$GROUP"):
					env = append(env, "GROUP="+memoryGroup(t, 100<<20))
				case strings.Contains(tt.prepare, "setpriv"):
					program = forAll(t, dir)
				}
				args := []string{"-m", "/bin/sh", "-c", tt.prepare + ` || exit 9; "$@"; s=$?; ls -A "$T" | grep -v lost+found >&2; exit $s`, "sh", program, "run", "--clock", clock}
				if tt.status == 1 {
					args = append(args, "--out", folder)
				}
				cmd := exec.Command("unshare", append(args, filepath.Join(dir, "s"+string(tt.backing)+".toml"))...)
				cmd.Env = append(os.Environ(), env...)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				err := cmd.Run()
				console, _ := os.ReadFile(filepath.Join(folder, "console", "b.log")) // there is none where nothing booted
				out.Write(console)
				if got := status(t, err); got != tt.status || !strings.Contains(out.String(), tt.said) {
					t.Errorf("status %d, want %d, and %q in\n%s", got, tt.status, tt.said, &out)
				}
				if strings.Contains(out.String(), "\nbackplane-") {
					t.Errorf("left behind in TMPDIR:\n%s", &out)
				}
				if tt.status != 1 {
					return
				}
				if err := record.Check(folder); err != nil {
					t.Error(err)
				}
				if report, err := os.ReadFile(filepath.Join(folder, "report.json")); err != nil || !bytes.Contains(report, []byte(`"failed"`)) {
					t.Errorf("%v; the report says\n%s", err, report)
				}
			})
		}
	}
}

// memoryGroup makes a cgroup whose processes have so many bytes of memory in all.
func memoryGroup(t *testing.T, limit int) (path string) {
	t.Helper()
	for _, v := range []struct{ dir, file string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		path, err := os.MkdirTemp(v.dir, "backplane-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(path) })
		if os.WriteFile(filepath.Join(path, v.file), fmt.Append(nil, limit), 0) == nil {
			return path
		}
	}
	t.Skip("this host has no memory cgroup that root can make")
	return ""
}

// forAll is a copy of the program, and a way to the files in dir, for other users.
func forAll(t *testing.T, dir string) (program string) {
	t.Helper()
	bin := filepath.Join(dir, "bin")
	if err := os.CopyFS(bin, os.DirFS(filepath.Dir(backplane(t)))); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(bin, "backplane")
}
