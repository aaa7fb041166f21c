package tests

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"backplane/tests/guesttest"
)

// TestCaptureCommand captures from beside an appliance that is up: into a pipe
// that tcpdump reads, into a file, and into a named pipe.
func TestCaptureCommand(t *testing.T) {
	dir := t.TempDir()
	for name, text := range pair(guesttest.Rootfs(t, "/usr/bin/ping"), "") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	start := func(cmd *exec.Cmd) *exec.Cmd {
		t.Helper()
		cmd.Env, cmd.Dir = append(os.Environ(), env...), dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	up := exec.Command(backplane(t), "up", "main.toml")
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(up)
	said := bufio.NewScanner(out)
	for ready := 0; ready < 3 && said.Scan(); { // two boards, and the way to reach them
		if strings.HasSuffix(strings.TrimSpace(said.Text()), ": up") || strings.Contains(said.Text(), "has started, ") {
			ready++
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"wan", `there is no segment "wan"`},
		{"lan:b3.eth0", `segment lan has no port "b3.eth0"`},
		{"lan --filter tpc", `at "tpc": unknown filter primitive`},
		{"-", "name what to capture"},
	} {
		if _, errs, status := run(t, env, append([]string{"capture"}, strings.Fields(tt.args)...)...); status != 2 || !strings.Contains(errs, tt.want) {
			t.Errorf("capture %s: status %d, want 2, and %q\n%s", tt.args, status, tt.want, errs)
		}
	}

	capture := func(args ...string) (*exec.Cmd, *bufio.Reader) {
		t.Helper()
		c := exec.Command(backplane(t), append([]string{"capture"}, args...)...)
		tcpdump := exec.Command("tcpdump", "-n", "-l", "-r", "-")
		if tcpdump.Stdin, err = c.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
		seen, err := tcpdump.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		errs, err := tcpdump.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		start(c)
		start(tcpdump)
		if line, err := bufio.NewReader(errs).ReadString('\n'); !strings.Contains(line, "EN10MB") {
			t.Fatalf("tcpdump begins with %q, %v", line, err)
		}
		return c, bufio.NewReader(seen)
	}
	piped, seen := capture("lan:b1.eth0", "--filter", "icmp", "-")
	file := exec.Command(backplane(t), "capture", "lan", "--write", "all.pcapng", "--snap", "60")
	start(file)
	appears := func(name string, size int64) {
		for {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Size() >= size {
				return
			}
			runtime.Gosched()
		}
	}
	appears("all.pcapng", 1) // the file's head: the capture is at work
	fifo := start(exec.Command(backplane(t), "capture", "lan", "--fifo", "live"))
	appears("live", 0)
	reader := exec.Command("tcpdump", "-n", "-l", "-r", "live", "icmp")
	lines, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begins, err := reader.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(reader)
	if line, err := bufio.NewReader(begins).ReadString('\n'); !strings.Contains(line, "EN10MB") {
		t.Fatalf("tcpdump of the named pipe begins with %q, %v", line, err)
	}
	if _, errs, status := run(t, env, "exec", "b1", "--", "/usr/bin/ping", "-c", "2", "10.0.0.2"); status != 0 {
		t.Fatalf("ping: %d %s", status, errs)
	}
	fromFIFO := bufio.NewReader(lines)
	for _, want := range []string{"echo request", "echo reply", "echo request", "echo reply"} {
		for name, r := range map[string]*bufio.Reader{"pipe": seen, "named pipe": fromFIFO} {
			if line, err := r.ReadString('\n'); !strings.Contains(line, want) {
				t.Errorf("the %s shows %q, %v, want an %s", name, line, err, want)
			}
		}
	}
	for _, c := range []*exec.Cmd{piped, file, fifo} {
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("%v ends with %v", c.Args[1:], err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "live")); !os.IsNotExist(err) {
		t.Errorf("the named pipe is still there: %v", err)
	}
	dump, err := exec.Command("tcpdump", "-n", "-r", filepath.Join(dir, "all.pcapng")).Output()
	if n := strings.Count(string(dump), "ICMP echo"); err != nil || n != 4 {
		t.Errorf("the file has %d echos, want 4: %v\n%s", n, err, dump)
	}
	if out, errs, status := run(t, env, "down"); status != 0 {
		t.Errorf("down: %d %s%s", status, out, errs)
	}
}
