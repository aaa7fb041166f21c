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

// stopWhenSaid waits for words on board b's console in a record, and stops the processes
// for a time of the host's.
func stopWhenSaid(t *testing.T, record, words string, d time.Duration, pids func() []int) {
	t.Helper()
	untilSaid(t, record, "console/b.log", words)
	all := pids()
	for _, s := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
		for _, pid := range all {
			if err := unix.Kill(pid, s); err != nil {
				t.Error(err)
			}
		}
		if s == unix.SIGSTOP {
			time.Sleep(d)
		}
	}
}

// TestStoppedWhileItShutsDown stops the program, for longer than boards may take to power
// off, while one does: it is given the rest of its time.
func TestStoppedWhileItShutsDown(t *testing.T) {
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
			stopWhenSaid(t, record, "it ends", 6*time.Second, func() []int {
				if clock == "real" { // the guest's time goes on in any case: so does the guest
					return []int{up.Process.Pid}
				}
				return append([]int{up.Process.Pid}, descendants(t, up.Process.Pid)...)
			})
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
	stopWhenSaid(t, record, "begun", 13*time.Second, func() []int { return append([]int{run.Process.Pid}, descendants(t, run.Process.Pid)...) })
	if err := within(t, run); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}
