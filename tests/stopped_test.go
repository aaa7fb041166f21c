package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		untilSaid(t, record, "console/b.log", "begun")
		time.Sleep(150 * time.Millisecond)                                         // it has seen that the guest computes
		if all := stopFor(t, 5*time.Second, cmd.Process.Pid, true); len(all) < 3 { // more than the stall limit
			t.Errorf("the program has no guest: %v", all)
		}
	})
	if !bytes.Equal(undisturbed, stopped) {
		t.Errorf("stopped for a while, the run is another one:\n%s\nundisturbed it is\n%s", stopped, undisturbed)
	}
}

// untilSaid waits for words in a file of a record.
func untilSaid(t *testing.T, record, file, words string) {
	t.Helper()
	for ; ; time.Sleep(time.Millisecond) {
		_, err := os.Stat(filepath.Join(record, "end.json"))
		text, _ := os.ReadFile(filepath.Join(record, file)) // there is none at first
		if strings.Contains(string(text), words) {
			return
		}
		if err == nil {
			t.Fatalf("the run ended without %q in %s:\n%.2000s", words, file, text)
		}
	}
}

// stopFor stops a process, and all below if these are meant as well, for a time of the
// host's. It says which.
func stopFor(t *testing.T, d time.Duration, pid int, below bool) []int {
	t.Helper()
	all := stop(t, pid, below)
	time.Sleep(d)
	for _, pid := range all {
		if err := unix.Kill(pid, unix.SIGCONT); err != nil {
			t.Error(err)
		}
	}
	return all
}

// stop stops a process before those below: what has ended then stays until it goes on.
func stop(t *testing.T, pid int, below bool) []int {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Error(err)
	}
	for !slices.Contains([]string{"T", "t", "Z"}, state(t, pid)) {
		time.Sleep(time.Millisecond)
	}
	all := []int{pid}
	if below {
		for _, child := range children(t, pid) {
			all = append(all, stop(t, child, true)...)
		}
	}
	return all
}

// state is what a process does, as ps(1) shows it.
func state(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[0]
}

// stopWhenSaid waits for words on board b's console in a record, and then stops as stopFor.
func stopWhenSaid(t *testing.T, record, words string, d time.Duration, pid int, below bool) {
	t.Helper()
	untilSaid(t, record, "console/b.log", words)
	stopFor(t, d, pid, below)
}

// children are those of a process.
func children(t *testing.T, pid int) (list []int) {
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
			list = append(list, child)
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

// TestStoppedWhileItShutsDown stops the program, for longer than boards may take to power
// off, while one does: it is given the rest of its time.
func TestStoppedWhileItShutsDown(t *testing.T) {
	t.Parallel()
	root := guesttest.Rootfs(t)
	script := "#!/bin/sh\ntrap 'echo it ends; sleep 2; echo it has ended; exit' TERM\necho it runs\nwhile :; do sleep 0.1; done\n"
	if err := os.WriteFile(filepath.Join(root, "server"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{
				"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\ninit = \"/server\"\nshutdown = \"4s\"\n", root),
			})
			record := filepath.Join(dir, "record")
			up := exec.Command(backplane(t), "up", filepath.Join(dir, "b.toml"), "--clock", clock, "--out", record)
			up.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
			var out bytes.Buffer
			up.Stdout, up.Stderr = &out, &out
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = up.Process.Kill() })
			untilSaid(t, record, "console/b.log", "it runs")
			untilSaid(t, record, "events.jsonl", `"state":"hello"`) // what is not up yet has its plug pulled
			if err := up.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			// In real time the guest's time goes on in any case: so does the guest.
			stopWhenSaid(t, record, "it ends", 6*time.Second, up.Process.Pid, clock == "virtual")
			err := within(t, up)
			text, _ := os.ReadFile(filepath.Join(record, "console/b.log"))
			if err != nil || strings.Contains(out.String(), "plug was pulled") || !strings.Contains(string(text), "it has ended") {
				t.Errorf("%v\n%s\nthe console:\n%.2000s", err, &out, text)
			}
		})
	}
}

// TestHostLimitOfAStoppedRun stops a run for longer than it may take.
func TestHostLimitOfAStoppedRun(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t)),
		"s.toml": `appliance = "b.toml"
host_limit = "12s"
[[step]]
exec = { board = "b", command = ["/bin/sh", "-c", "echo begun >/dev/console; awk 'BEGIN { for (i = 0; i < 300000; i++) n += i; print n }'"] }
`})
	record := filepath.Join(dir, "record")
	run := exec.Command(backplane(t), "run", "--out", record, filepath.Join(dir, "s.toml"))
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill() })
	stopWhenSaid(t, record, "begun", 13*time.Second, run.Process.Pid, true)
	if err := within(t, run); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}
