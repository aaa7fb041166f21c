package tests

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestContainer runs a scenario under what Docker's default profile denies: namespaces
// and mounts in them are all that it takes beyond, and without them `doctor` and `run`
// say what is missing, and --unconfined does without.
func TestContainer(t *testing.T) {
	t.Parallel()
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
	const mounts, namespaces, nothing = "-m", "-n", "--" // what the container's profile lets be made
	for _, c := range []struct {
		with, command string
		status        int
		want          []string
	}{
		{nothing, "doctor", 3, []string{"LACK  walls around guests", "no user namespace is available", "seccomp=unconfined"}},
		{namespaces, "doctor", 3, []string{"LACK  walls around guests", "operation not permitted"}},
		{mounts, "doctor", 0, []string{"ok    walls around guests"}},
		{nothing, "run " + thermal, 3, []string{"no user namespace is available", "--unconfined"}},
		{namespaces, "run " + thermal, 3, []string{"this machine refuses walls around guests", "--unconfined"}},
		{mounts, "run " + thermal, 0, []string{"PASSED"}},
		{mounts, "run --clock real " + thermal, 0, []string{"PASSED"}},
		{namespaces, "run --unconfined " + thermal, 0, []string{"guests run without", "PASSED"}},
		{nothing, "run --unconfined " + thermal, 0, []string{"PASSED"}},
		{nothing, "run --unconfined --clock real " + thermal, 0, []string{"PASSED"}},
	} {
		out, status := do(c.with, program+" "+c.command)
		for _, want := range c.want {
			if status != c.status || !strings.Contains(out, want) {
				t.Errorf("%s with %s: status %d instead of %d, no %q in\n%s", c.command, c.with, status, c.status, want, out)
			}
		}
	}
}
