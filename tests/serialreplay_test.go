package tests

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"backplane/tests/guesttest"
)

// echoing is an appliance whose board sends back what it receives on three ports: programs of
// the host find one as a pseudo terminal, one by RFC 2217, and one only by `backplane serial`.
func echoing(t *testing.T) (file, pty, socket string) {
	t.Helper()
	dir := t.TempDir()
	file, pty, socket = filepath.Join(dir, "main.toml"), filepath.Join(dir, "pty"), filepath.Join(dir, "socket")
	board := fmt.Sprintf("name = \"modem\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t))
	for i := range 3 {
		board += fmt.Sprintf("[[serial]]\nname = \"uart%d\"\nbaud = 9600\n", i+1)
	}
	main := fmt.Sprintf(`name = "desk"
[[board]]
name = "b"
file = "board.toml"
[[serial]]
name = "terminal"
ports = ["b.uart1"]
pty = %q
[[serial]]
name = "net"
ports = ["b.uart2"]
listen = "unix:%s"
`, pty, socket)
	for name, text := range map[string]string{"board.toml": board, "main.toml": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, pty, socket
}

// client does a command of an appliance that is up.
func client(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(backplane(t), args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// TestReplaySerial records what programs of the host do at serial ports in three ways, and
// repeats it without them, to the byte and the nanosecond.
func TestReplaySerial(t *testing.T) {
	file, pty, socket := echoing(t)
	dir := t.TempDir()
	env, record, script, third := []string{"XDG_RUNTIME_DIR=" + dir}, filepath.Join(dir, "record"), filepath.Join(dir, "client.py"), filepath.Join(dir, "third")
	if err := os.WriteFile(script, []byte(pyserial), 0o600); err != nil {
		t.Fatal(err)
	}
	up := startUp(t, env, "b", file, "--clock", "virtual", "--seed", "5", "--out", record)
	client(t, env, "exec", "b", "sh", "-c", "for tty in /dev/ttyS?; do stty -F $tty 9600 raw -echo </dev/null; cat <$tty >$tty 2>/dev/null & done")

	serial := exec.Command(backplane(t), "serial", "b.uart3", "--pty", third)
	serial.Env = append(os.Environ(), env...)
	said, err := serial.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serial.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serial.Process.Kill() })
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.HasPrefix(line, "b.uart3 is ") {
		t.Fatalf("backplane serial says %q: %v", line, err)
	}
	for _, at := range [][2]string{{pty, "pty"}, {socket, "net"}, {third, "pty"}} {
		if out, err := exec.Command("/usr/bin/python3", script, at[0], at[1]).CombinedOutput(); err != nil || string(out) != "good\n" {
			t.Errorf("the program at %s: %v\n%s", at[0], err, out)
		}
	}
	if err := serial.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = serial.Wait() // it ends by a signal
	client(t, env, "down")
	if err := up.Wait(); err != nil {
		t.Fatal(err)
	}

	inputs, err := os.ReadFile(filepath.Join(record, "inputs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"do":"serial","path":"b.uart1","value":"send"`, `"do":"serial","path":"b.uart2","value":"break on"`,
		`"do":"serial","path":"b.uart3","value":"set 4800 8N1 none"`} {
		if !strings.Contains(string(inputs), want) {
			t.Errorf("the record's inputs have no %s", want)
		}
	}
	if out, errs, status := run(t, nil, "replay", record); status != 0 || !strings.HasPrefix(out, "SAME: desk, ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	changed := strings.Replace(string(inputs), `"value":"set 4800 8N1 none"`, `"value":"set 4800 7E1 none"`, 1)
	if err := os.WriteFile(filepath.Join(record, "inputs.jsonl"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 1 || !strings.Contains(out, "DIFFERENT: desk, ") {
		t.Errorf("with another setting: status %d\n%s%s", status, out, errs)
	}
}

// TestReplaySerialRefused: virtual time that nobody holds back does not run with programs of the
// host at a port, and what was recorded in real time is not repeated.
func TestReplaySerialRefused(t *testing.T) {
	file, _, _ := echoing(t)
	scenario := filepath.Join(filepath.Dir(file), "scenario.toml")
	if err := os.WriteFile(scenario, []byte("name = \"s\"\nappliance = \"main.toml\"\n[[step]]\nwait = \"1s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, status := run(t, nil, "run", scenario)
	if want := "main.toml:5:3: the port is given to a program on the host, which virtual time would outrun: write paced = true"; status != 2 || !strings.Contains(errs, want) {
		t.Errorf("run: status %d\n%s", status, errs)
	}
	dir := t.TempDir()
	env, record := []string{"XDG_RUNTIME_DIR=" + dir}, filepath.Join(dir, "record")
	up := startUp(t, env, "b", file, "--clock", "real", "--out", record)
	client(t, env, "down")
	if err := up.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := run(t, nil, "replay", record); status != 2 || !strings.Contains(errs, "it was recorded in real time, which cannot be repeated: record with --clock virtual") {
		t.Errorf("replay: status %d\n%s", status, errs)
	}
}
