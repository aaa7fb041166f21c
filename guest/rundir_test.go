package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunDirGoesWithClose(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, err := NewRunDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := r.Board("sensor")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(os.TempDir() + "/backplane-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestRunDirGoesWithAKilledProgram runs this test again as a program of its own
// that makes a run folder and is then killed.
func TestRunDirGoesWithAKilledProgram(t *testing.T) {
	if os.Getenv("BACKPLANE_TEST_KILLED") != "" {
		r, err := NewRunDir()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("made " + r.path + "\n")
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunDirGoesWithAKilledProgram$")
	cmd.Env = append(os.Environ(), "BACKPLANE_TEST_KILLED=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	_, path, ok := strings.Cut(strings.TrimSpace(string(buf[:n])), "made ")
	if !ok {
		t.Fatalf("it said %q", buf[:n])
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", path)
		}
	}
}
