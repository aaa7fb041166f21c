package tests

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// backplane is the program that `make` has built.
func backplane(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../bin/backplane")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v: run make first", err)
	}
	return path
}

// run runs the program and returns what it prints, and its exit status.
func run(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(backplane(t), args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

const thermal = "scenarios/thermal/thermal.toml"

func TestThermalInRealTime(t *testing.T) {
	t.Parallel()
	out, errs, status := run(t, nil, "run", thermal, "--clock", "real")
	if status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

func TestExitStatuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	board := file("b.toml", "name = \"b\"\n")
	fails := file("fails.toml", "appliance = \"b.toml\"\n[[step]]\nname = \"impossible\"\nexpect = { console = \"b\", match = \"never\", within = \"10ms\" }\n")
	bad := file("bad.toml", "appliance = \"b.toml\"\nstep = 3\n")
	file("big.toml", "name = \"big\"\nmemory = \"4T\"\nbacking = \"ram\"\n")
	boards := "name = \"boards\"\n"
	for i := range 64 { // their page arrays are 4 TiB
		boards += fmt.Sprintf("[[board]]\nname = \"b%d\"\nfile = \"big.toml\"\n", i)
	}
	file("boards.toml", boards)
	file("bigs.toml", "appliance = \"boards.toml\"\n[[step]]\nwait = \"1s\"\n")
	tests := []struct {
		name   string
		env    []string
		args   []string
		status int
		want   string // in either output
	}{
		{"a good board", nil, []string{"check", board}, 0, "b.toml: a board, good"},
		{"a step fails", nil, []string{"run", fails}, 1, "FAIL  impossible"},
		{"bad scenario", nil, []string{"run", bad}, 2, "bad.toml:2:1: "},
		{"missing file", nil, []string{"run", "nowhere.toml"}, 2, "nowhere.toml: no such file or directory"},
		{"unknown command", nil, []string{"fly"}, 2, "unknown command"},
		{"unknown flag", nil, []string{"run", "--fast"}, 2, "unknown flag"},
		{"verify in real time", nil, []string{"run", "--verify", "3", "--clock", "real", fails}, 2, "needs the virtual clock"},
		{"verify once", nil, []string{"run", "--verify", "1", fails}, 2, "at least 2"},
		{"verify what fails", nil, []string{"run", "--verify", "2", fails}, 1, "SAME: 2 runs"},
		{"bad clock", nil, []string{"run", "--clock", "wall", fails}, 2, "--clock is \"wall\""},
		{"no appliance is up", []string{"XDG_RUNTIME_DIR=" + dir}, []string{"ps"}, 2, "no appliance is running"},
		{"no folder for guests", []string{"TMPDIR=/proc"}, []string{"run", fails}, 3, "set TMPDIR"},
		{"no firmware", []string{"BACKPLANE_FIRMWARE=/nowhere"}, []string{"run", fails}, 3, "'make' builds it"},
		{"more memory than there is", nil, []string{"run", filepath.Join(dir, "bigs.toml")}, 3, "64 boards need at least"},
		{"unknown model", nil, []string{"parts", "tmp103"}, 2, "did you mean \"tmp102\"?"},
		{"a model", nil, []string{"parts", "tmp102"}, 0, "property temperature  number in °C, -55 to 150  default 25"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, status := run(t, tt.env, tt.args...)
			if status != tt.status || !strings.Contains(out+errs, tt.want) {
				t.Errorf("status %d, want %d, and %q in\n%s%s", status, tt.status, tt.want, out, errs)
			}
			if strings.Contains(out+errs, "goroutine ") {
				t.Errorf("a stack trace:\n%s", errs)
			}
		})
	}
}

// TestUp keeps the README's board running and reaches it from beside.
func TestUp(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```toml\n(name = \"mine\".*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("the README has no board of one's own")
	}
	dir := t.TempDir()
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	file := filepath.Join(dir, "mine.toml")
	rootfs := "\n[firmware]\nrootfs = [\"root\"]\n"
	if err := os.MkdirAll(filepath.Join(dir, "root/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile("/bin/busybox"); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(filepath.Join(dir, "root/bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, applet := range []string{"sh", "cat", "echo", "sleep"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "root/bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, append(m[1], rootfs...), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) { upAndDown(t, env, file, clock) })
	}
}

func upAndDown(t *testing.T, env []string, file, clock string) {
	up := startUp(t, env, "mine", file, "--clock", clock)
	do := func(want int, args ...string) string {
		t.Helper()
		out, errs, status := run(t, env, args...)
		if status != want {
			t.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, out, errs)
		}
		return out
	}
	if out := do(0, "ps"); !strings.Contains(out, "mine             up") {
		t.Errorf("ps prints\n%s", out)
	}
	if out := do(0, "get", "mine.temp0.temperature"); out != "21.5 °C\n" {
		t.Errorf("get prints %q", out)
	}
	do(0, "exec", "mine", "--", "/bin/sleep", "0.1") // the driver gives no reading in its first 35 ms
	if out := do(0, "exec", "mine", "--", "/bin/cat", "/sys/class/hwmon/hwmon0/temp1_input"); out != "21500\n" {
		t.Errorf("the guest reads %q", out)
	}
	do(0, "set", "mine.temp0.temperature", "80")
	if out := do(0, "get", "mine.temp0.temperature"); out != "80 °C\n" {
		t.Errorf("get prints %q", out)
	}
	do(2, "set", "mine.temp0.temperature", "1000")
	do(2, "get", "mine.temp0.humidity")
	do(7, "exec", "mine", "--", "/bin/sh", "-c", "exit 7")
	if out := do(0, "events"); !strings.Contains(out, `"kind":"i2c"`) {
		t.Errorf("events prints\n%s", out)
	}
	// The console, with a line typed at it.
	console := exec.Command(backplane(t), "console", "mine")
	console.Env = up.Env
	buf := make([]byte, 4096)
	in, _ := console.StdinPipe()
	out, _ := console.StdoutPipe()
	if err := console.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("echo console-$((40+2))\n")); err != nil {
		t.Fatal(err)
	}
	var typed bytes.Buffer
	for !strings.Contains(typed.String(), "console-42") {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("the console ended: %v\n%q", err, typed.String())
		}
		typed.Write(buf[:n])
	}
	_ = in.Close()
	if err := console.Wait(); err != nil {
		t.Errorf("the end of input ends the console with %v", err)
	}
	if _, errs, status := run(t, env, "up", file); status != 3 || !strings.Contains(errs, "already running") {
		t.Errorf("a second up: status %d, %s", status, errs)
	}
	do(0, "down")
	done := make(chan error, 1)
	go func() { done <- up.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("up ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("up did not end")
	}
}

// TestDocumentedCommands looks for all commands in the help, and runs those that only look.
func TestDocumentedCommands(t *testing.T) {
	out, _, status := run(t, nil, "help")
	if status != 0 {
		t.Fatalf("help: status %d", status)
	}
	for _, c := range []string{"run", "up", "replay", "check", "bench", "ps", "net", "console", "logs", "exec", "cp", "get", "set", "press", "power", "cut", "restore", "events", "capture", "wait", "down", "version", "parts", "doctor", "kernel", "schema"} {
		if !regexp.MustCompile(`(?m)^  ` + c + ` `).MatchString(out) {
			t.Errorf("help does not list %s", c)
		}
	}
	for _, kind := range []string{"board", "appliance", "scenario"} {
		out, errs, status := run(t, nil, "schema", kind)
		want, err := os.ReadFile("../boards/schema/" + kind + ".json")
		if err != nil || status != 0 || errs != "" {
			t.Fatalf("%v, status %d, %s", err, status, errs)
		}
		if diff := cmp.Diff(string(want), out); diff != "" {
			t.Errorf("schema %s is not what stands in boards/schema (-want +got):\n%s", kind, diff)
		}
	}
	files, err := filepath.Glob("../boards/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	args := []string{"check", "scenarios/thermal/appliance.toml", thermal}
	for _, f := range files {
		args = append(args, strings.TrimPrefix(f, "../"))
	}
	if out, errs, status := run(t, nil, args...); status != 0 || strings.Count(out, "good") != len(args)-1 {
		t.Errorf("check: status %d\n%s%s", status, out, errs)
	}
	if out, _, status := run(t, nil, "doctor"); status != 0 || !strings.Contains(out, "pings through gateways") {
		t.Errorf("doctor: status %d\n%s", status, out)
	}
}
