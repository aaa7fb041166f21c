package confine

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRootAlone tries the walls as root of a user namespace that has no other user, as
// some containers are. To the host it is an ordinary user.
func TestRootAlone(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // which that user finds the way to, unlike to the test's own
	program, temp := filepath.Join(dir, "test"), filepath.Join(dir, "tmp")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	user, group := os.Getuid(), os.Getgid()
	if user == 0 {
		user, group = Nobody, Nobody
		if err := os.Chown(temp, user, group); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-test.run=^(TestAttacks|TestUnconfined|TestPossible)$")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: user, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: group, Size: 1}},
		Credential:  &syscall.Credential{NoSetGroups: true},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestHostsRoot knows the one user whose processes no limit holds.
func TestHostsRoot(t *testing.T) {
	for text, want := range map[string]bool{"         0          0          1\n": true, "         0       1000          1\n": false,
		"1000 0 1\n": false, "0 100000 65536\n": false, "1 100000 65535\n0 0 1\n": true, "": false} {
		if got := hostsRoot(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
