package tests

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestContainer runs a scenario under what Docker's default profile denies: namespaces
// are all that it takes beyond, and without them `doctor` and `run` say what is missing.
func TestContainer(t *testing.T) {
	container := filepath.Join(t.TempDir(), "container")
	if out, err := exec.Command("gcc", "-Wall", "-Werror", "-o", container, "programs/container/container.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	do := func(args ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(container, args...)
		cmd.Dir = ".."
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	program := backplane(t)
	if out, status := do(program + " doctor"); status != 3 || !strings.Contains(out, "LACK  user namespaces") || !strings.Contains(out, "seccomp=unconfined") {
		t.Errorf("doctor without namespaces: status %d\n%s", status, out)
	}
	if out, status := do(program + " run " + thermal); status != 3 || !strings.Contains(out, "no user namespace to be had") {
		t.Errorf("run without namespaces: status %d\n%s", status, out)
	}
	if out, status := do("-n", program+" doctor"); status != 0 || !strings.Contains(out, "ok    user namespaces") {
		t.Errorf("doctor with namespaces: status %d\n%s", status, out)
	}
	for _, clock := range []string{"virtual", "real"} {
		if out, status := do("-n", program+" run --clock "+clock+" "+thermal); status != 0 || !strings.Contains(out, "PASSED") {
			t.Errorf("run with namespaces, %s time: status %d\n%s", clock, status, out)
		}
	}
}
