package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// TestSuspended stops the program and its guests, as a machine that is suspended does,
// in the middle of a turn of one of them and for longer than that may last: the run goes
// on, and what is recorded is the same as without.
func TestSuspended(t *testing.T) {
	root := guesttest.Rootfs(t)
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", root),
		"s.toml": `appliance = "b.toml"
stall_limit = "4s"
[[step]]
exec = { board = "b", command = ["/bin/sh", "-c", "echo begun >/dev/console; awk 'BEGIN { for (i = 0; i < 3000000; i++) n += i; print n }' >/dev/console"] }
`})
	play := func(name string, meanwhile func(*exec.Cmd, string)) []byte {
		record := filepath.Join(dir, name)
		cmd := exec.Command(backplane(t), "run", "--out", record, filepath.Join(dir, "s.toml"))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		meanwhile(cmd, record)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		events, err := os.ReadFile(filepath.Join(record, "events.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	undisturbed := play("undisturbed", func(*exec.Cmd, string) {})
	stopped := play("stopped", func(cmd *exec.Cmd, record string) {
		for computes := false; !computes; time.Sleep(time.Millisecond) {
			text, _ := os.ReadFile(filepath.Join(record, "console/b.log")) // there is none at first
			computes = strings.Contains(string(text), "begun")
		}
		time.Sleep(150 * time.Millisecond) // it has seen that the guest computes
		all := append([]int{cmd.Process.Pid}, descendants(t, cmd.Process.Pid)...)
		if len(all) < 3 {
			t.Errorf("the program has no guest: %v", all)
		}
		for _, s := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
			for _, pid := range all {
				if err := unix.Kill(pid, s); err != nil {
					t.Error(err)
				}
			}
			if s == unix.SIGSTOP {
				time.Sleep(5 * time.Second) // more than the stall limit
			}
		}
	})
	if !bytes.Equal(undisturbed, stopped) {
		t.Errorf("stopped for a while, the run is another one:\n%s\nundisturbed it is\n%s", stopped, undisturbed)
	}
}

// descendants are the processes below one.
func descendants(t *testing.T, pid int) (list []int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, _ := os.ReadFile(f) // it may have ended
		for _, field := range strings.Fields(string(text)) {
			var child int
			if _, err := fmt.Sscan(field, &child); err != nil {
				t.Fatal(err)
			}
			list = append(append(list, child), descendants(t, child)...)
		}
	}
	return list
}

// TestStopped stops the program alone for a moment, again and again, in both clocks: its
// boards go on.
func TestStopped(t *testing.T) {
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			s := visit(t, "--clock", clock)
			for i := range 10 {
				if err := unix.Kill(s.up.Process.Pid, unix.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				client := s.client("exec", "b", "echo", "on")
				out, err := client.StdoutPipe()
				if err == nil {
					err = client.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				if err := unix.Kill(s.up.Process.Pid, unix.SIGCONT); err != nil {
					t.Fatal(err)
				}
				var said bytes.Buffer
				_, _ = said.ReadFrom(out)
				if err := within(t, client); err != nil || said.String() != "on\n" {
					t.Errorf("after it was stopped: %v, %q", err, &said)
				}
			}
			s.down()
		})
	}
}
