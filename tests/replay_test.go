package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// startUp starts `backplane up` and waits until the board of that name is up.
func startUp(t *testing.T, env []string, board, file string, args ...string) *exec.Cmd {
	t.Helper()
	return startUntil(t, env, []string{board + ": up", " has started"}, file, args...)
}

// startUntil keeps an appliance up that has said all those words.
func startUntil(t *testing.T, env, words []string, file string, args ...string) *exec.Cmd {
	t.Helper()
	up := exec.Command(backplane(t), append([]string{"up", file}, args...)...)
	up.Env = append(os.Environ(), env...)
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Process.Kill(); _ = up.Wait() })
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	unsaid := func(word string) bool { return !strings.Contains(seen.String(), word) }
	for slices.ContainsFunc(words, unsaid) {
		n, err := stdout.Read(buf)
		if err != nil {
			t.Fatalf("it ended: %v\n%s", err, seen.String())
		}
		seen.Write(buf[:n])
	}
	return up
}

// TestReplay keeps an appliance up, does things to it, and repeats the session
// from its record; then something of it has changed.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	file, record := filepath.Join(dir, "b.toml"), filepath.Join(dir, "record")
	board := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[i2c]]\nname = \"i2c1\"\nnumber = 1\n"+
		"[[i2c.chip]]\nname = \"temp0\"\nmodel = \"tmp102\"\naddress = 0x48\n"+
		"[[i2c.chip]]\nname = \"rom\"\nmodel = \"at24c32\"\naddress = 0x50\nfile = \"rom.bin\"\n", guesttest.Rootfs(t))
	for name, text := range map[string]string{file: board, filepath.Join(dir, "rom.bin"): strings.Repeat("x", 4096)} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command(backplane(t), args...)
		cmd.Env, cmd.Stdin = append(os.Environ(), env...), strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	session := func(record string) *exec.Cmd {
		up := startUp(t, env, "b", file, "--clock", "virtual", "--seed", "5", "--out", record)
		do("", "set", "b.temp0.temperature", "81.5")
		if out := do("", "exec", "b", "--", "/bin/sh", "-c", "until cat /sys/class/hwmon/hwmon0/temp1_input 2>/dev/null; do usleep 10000; done"); out != "81500\n" {
			t.Errorf("the guest reads %q", out)
		}
		do("a line\nanother\n", "exec", "b", "--", "/bin/sh", "-c", "cat >/dev/console; head -c 8 /dev/urandom | od >/dev/console; echo changed >$(ls /sys/bus/i2c/devices/*/eeprom)")
		return up
	}
	up := session(record)
	do("", "down")
	if err := up.Wait(); err != nil {
		t.Fatal(err)
	}
	events, err := os.ReadFile(filepath.Join(record, "events.jsonl"))
	if err != nil || !strings.Contains(string(events), `"line":"another"`) {
		t.Errorf("%v, the events are\n%s", err, events)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 0 || !regexp.MustCompile(`^SAME: b, \d+\.\d{3} s of the appliance's time and \d+ inputs in`).MatchString(out) {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}

	t.Run("killed", func(t *testing.T) {
		record := filepath.Join(dir, "killed")
		up := session(record)
		if err := up.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = up.Wait()
		out, errs, status := run(t, nil, "replay", record)
		if status != 1 || !regexp.MustCompile(`^CUT: b, .* and \d+ inputs in .*: the same as far as the record goes, to \d+\.\d{3} s\n.* no end mark`).MatchString(out) {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
	})
	t.Run("a record that lies", func(t *testing.T) {
		lie := filepath.Join(dir, "lie")
		if err := os.CopyFS(lie, os.DirFS(record)); err != nil {
			t.Fatal(err)
		}
		inputs, err := os.ReadFile(filepath.Join(lie, "inputs.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(lie, "inputs.jsonl"), bytes.Replace(inputs, []byte("81.5"), []byte("82.5"), 1), 0o644); err != nil {
			t.Fatal(err)
		}
		out, errs, status := run(t, nil, "replay", lie)
		if status != 1 || !strings.Contains(out, "first difference: event") || !regexp.MustCompile(`the record goes on:\n  .*"value":"81.5"`).MatchString(out) {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
	})
	t.Run("changed", func(t *testing.T) {
		if err := os.WriteFile(file, []byte("doc = \"changed\"\n"+board), 0o644); err != nil {
			t.Fatal(err)
		}
		_, errs, status := run(t, nil, "replay", record)
		if status != 2 || !strings.Contains(errs, "the appliance file ("+file+") has changed") {
			t.Errorf("status %d, %s", status, errs)
		}
		if out, errs, status := run(t, nil, "replay", "--changed", record); status != 0 || !strings.Contains(out, "SAME") {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
	})
	t.Run("no record", func(t *testing.T) {
		if _, errs, status := run(t, nil, "replay", dir); status != 2 || !strings.Contains(errs, "is not a record of a run") {
			t.Errorf("status %d, %s", status, errs)
		}
	})
}

// TestReplayScenario replays what a scenario has done to the thermal appliance,
// where time has gone on in other strides.
func TestReplayScenario(t *testing.T) {
	dir := t.TempDir()
	if out, errs, status := run(t, nil, "run", thermal, "--out", dir); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := run(t, nil, "replay", dir); status != 0 || !strings.Contains(out, "SAME: thermal, ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
