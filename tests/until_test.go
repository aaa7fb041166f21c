package tests

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunUntil has a scenario stop in several places, and looks at the board there.
func TestRunUntil(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.toml": "name = \"until-test\"\n",
		"play.toml": `appliance = "b.toml"
[[step]]
exec = { board = "until-test", command = ["touch", "/tmp/one"] }
[[step]]
wait = "10s"
[[step]]
exec = { board = "until-test", command = ["ls", "/tmp/none"] }
[[step]]
exec = { board = "until-test", command = ["touch", "/tmp/never"] }
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	play := filepath.Join(dir, "play.toml")
	for _, tt := range []struct{ until, from, files string }{
		{"0", "0.", ""},
		{"1", "0.", "one\n"},
		{"5s", "5.", "one\n"},
		{"failure", "10.", "one\n"},
	} {
		cmd, said, _ := playUntil(t, tt.until, play)
		var all []string
		for said.Scan() {
			if all = append(all, said.Text()); strings.Contains(said.Text(), " is yours from ") {
				break
			}
		}
		if !strings.Contains(said.Text(), " is yours from "+tt.from) {
			t.Errorf("until %s it says\n%s", tt.until, strings.Join(all, "\n"))
		}
		if got, errs, status := run(t, nil, "exec", "until-test", "ls", "/tmp"); got != tt.files || status != 0 {
			t.Errorf("until %s the board has %q, status %d, %s", tt.until, got, status, errs)
		}
		if _, errs, status := run(t, nil, "down", "until-test"); status != 0 {
			t.Errorf("down: %s", errs)
		}
		for said.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("until %s: %v", tt.until, err)
		}
	}
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--until", "end"}, 1, "FAILED: play before the run came to end"},
		{[]string{"--until", "9"}, 2, "step 9; the scenario has 4"},
		{[]string{"--until", "0s"}, 2, "0, without a unit, is when the boards are up"},
		{[]string{"--until", "soon"}, 2, `"soon" is no step's number`},
		{[]string{"--until", "1", "--verify", "2"}, 2, "a run that is compared has an end"},
	} {
		out, errs, status := run(t, nil, append(append([]string{"run"}, tt.args...), play)...)
		if status != tt.status || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%q: status %d, want %d with %q:\n%s%s", tt.args, status, tt.status, tt.want, out, errs)
		}
	}
}

// playUntil starts a run, and tells what it says.
func playUntil(t *testing.T, until, play string) (cmd *exec.Cmd, said *bufio.Scanner, errs *strings.Builder) {
	t.Helper()
	cmd = exec.Command(backplane(t), "run", "--until", until, play)
	errs = new(strings.Builder)
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out), errs
}

// TestRunUntilInterrupted ends a run by Ctrl-C on its way to a time far beyond the last step.
func TestRunUntilInterrupted(t *testing.T) {
	dir := t.TempDir()
	play := filepath.Join(dir, "play.toml")
	err := errors.Join(os.WriteFile(filepath.Join(dir, "b.toml"), []byte("name = \"interrupted-test\"\n"), 0o644),
		os.WriteFile(play, []byte("appliance = \"b.toml\"\n[[step]]\nwait = \"1s\"\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	cmd, said, errs := playUntil(t, "999999h", play)
	all := ""
	for said.Scan() {
		if all += said.Text() + "\n"; strings.Contains(said.Text(), "ok    wait 1s") { // the last step
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 1 || errs.String() != "" || !strings.Contains(all, "FAILED: play before the run came to 999999h\n") {
		t.Errorf("status %d, want 1, and it says\n%s%s", status, all, errs.String())
	}
}
