package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/simbus"
	"backplane/tests/guesttest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

// TestLogOfABoard follows a board from its start to its end, with a stranger and a panic
// between.
func TestLogOfABoard(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		core, seen := observer.New(zap.InfoLevel)
		o.Log = zap.New(core)
		app, socket := soldered(t, map[string]string{"main.toml": "name = \"b\"\nmemory = \"64M\"\n"}, o, "b/rng.sock")
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		app.Until(time.Minute, "a word on the stranger", func(e *simbus.Event) bool { return e.Kind == periph.KindDevice })
		app.StartCommand("b", "sh", "-c", "echo c >/proc/sysrq-trigger; kill -QUIT 1")
		untilState(app, "b", appliance.StatePanic)
		if err := app.PowerOn("b"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "b", appliance.StateUp)
		if err := app.PowerOff("b"); err != nil {
			t.Fatal(err)
		}
		untilState(app, "b", appliance.StateOff)
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		var got []string
		last := time.Duration(0)
		for _, e := range seen.All() {
			if e.Message == "note" {
				continue // a busy host makes the appliance say so
			}
			f := e.ContextMap()
			at, ok := f["t"].(time.Duration)
			if !ok || at < last {
				t.Errorf("%s is at %v, after %s", e.Message, f["t"], last)
			}
			last = at
			line := fmt.Sprint(e.Level, " ", e.LoggerName, ": ", e.Message)
			if e.LoggerName == "board" {
				line += fmt.Sprintf(" board=%v", f["board"])
			}
			if state, ok := f["state"]; ok {
				line += fmt.Sprintf(" state=%v", state)
			}
			if pid, ok := f["kernel_pid"].(int64); ok && pid <= 1 {
				t.Errorf("%s: the kernel is process %d", line, pid)
			}
			if text, ok := f["error"].(string); ok && !strings.Contains(text, fmt.Sprintf("process %d to ", os.Getpid())) {
				t.Errorf("%s: %s", line, text)
			}
			got = append(got, line)
		}
		life := []string{"info board: kernel started board=b", "info board: state board=b state=on", "info board: state board=b state=hello"}
		want := slices.Concat([]string{"info appliance: start"}, life,
			[]string{"warn board: device error board=b", "info board: kernel ended board=b", "error board: state board=b state=panic"}, life,
			[]string{"info board: kernel ended board=b", "info board: state board=b state=off", "info appliance: end"})
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

// logLine is one line of a log in JSON.
type logLine struct {
	Time, Level, Logger, Message, Board, State, Command, Signal, Error string

	PID    int
	T      *int64
	Status *int
}

func readLog(t *testing.T, file string) (lines []logLine) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestLogOfARun: what a run prints and records is the same with a log and without.
func TestLogOfARun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	records := make(map[string]map[string]string)
	said := make(map[string]string)
	for name, flags := range map[string][]string{"without": nil, "with": {"--log-file", file, "--log-format", "json", "--log-level", "debug"}} {
		out, errs, status := run(t, nil, append([]string{"run", thermal, "--out", filepath.Join(dir, name)}, flags...)...)
		if status != 0 || strings.Contains(errs, "{") {
			t.Fatalf("%s: status %d\n%s", name, status, errs)
		}
		said[name], _, _ = strings.Cut(out, "PASSED") // which has how long it took
		records[name] = recordOf(t, filepath.Join(dir, name))
	}
	if said["with"] != said["without"] {
		t.Errorf("without a log it prints\n%sand with\n%s", said["without"], said["with"])
	}
	if d := cmp.Diff(records["without"], records["with"]); d != "" || len(records["with"]) < 5 {
		t.Errorf("the record has %d files, and differs:\n%s", len(records["with"]), d)
	}
	lines := readLog(t, file)
	first, last := lines[0], lines[len(lines)-1]
	if first.Message != "begin" || first.Command != "backplane run" || last.Message != "end" || last.Status == nil || *last.Status != 0 {
		t.Errorf("the log begins with %+v and ends with %+v", first, last)
	}
	ups := 0
	for _, l := range lines {
		if l.Time == "" || l.PID != first.PID || l.Logger == "board" && (l.Board == "" || l.T == nil) {
			t.Errorf("a line lacks something: %+v", l)
		}
		if l.State == appliance.StateUp {
			ups++
		}
	}
	if ups != 3 { // two boards, of which one is switched off and on
		t.Errorf("boards came up %d times", ups)
	}
}

// recordOf are the files of a record, but for what has the host's times in it.
func recordOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		text, err := os.ReadFile(path)
		if name == "report.json" || name == "junit.xml" || name == "end.json" || strings.HasPrefix(name, "uml/") {
			text = nil
		}
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestLogAtTheEnd: the log says with what a command ends, and a log that is not whole is
// told of then, with status 3; what is wrong with its file at once, with status 2.
func TestLogAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	none := "no appliance is running: 'backplane up FILE' starts one"
	out, errs, status := run(t, env, "ps", "--log-file", file, "--log-format", "json", "--log-level", "error")
	if lines := readLog(t, file); status != 2 || out+errs != "backplane: "+none+"\n" || len(lines) != 1 || lines[0].Error != none || *lines[0].Status != 2 {
		t.Errorf("status %d\n%s%s%+v", status, out, errs, lines)
	}
	out, errs, status = run(t, env, "version", "--log-file", "/dev/full")
	if status != 3 || !strings.HasPrefix(out, "backplane ") || errs != "backplane: the log in /dev/full is incomplete, 2 lines are missing: write /dev/full: no space left on device\n" {
		t.Errorf("a full disk: status %d\n%s%s", status, out, errs)
	}
	out, errs, status = run(t, env, "version", "--log-file", dir+"/no/log")
	if status != 2 || out != "" || errs != "backplane: --log-file: open "+dir+"/no/log: no such file or directory\n" {
		t.Errorf("no folder: status %d\n%s%s", status, out, errs)
	}
	out, errs, status = run(t, env, "version", "--log-level", "info")
	if status != 0 || !strings.Contains(errs, ` info begin {"pid": `) || !strings.Contains(errs, ` info end {"pid": `) || strings.Contains(out, "begin") {
		t.Errorf("on standard error: status %d\n%s%s", status, out, errs)
	}
}

// TestLogOnASignal: it is whole when a signal has ended the command.
func TestLogOnASignal(t *testing.T) {
	s := place(t)
	file := filepath.Join(s.dir, "up") // as the command's name
	cmd := s.client("--log-format=json", "--log-file", file, "up", "--clock", "virtual", s.file())
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for up := false; !up; time.Sleep(10 * time.Millisecond) { // up to the test's own limit
		text, _ := os.ReadFile(file)
		up = bytes.Contains(text, []byte(`"state":"hello"`))
	}
	s.do(0, "", "set", "b.temp0.temperature", "30")
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || bytes.ContainsRune(errs.Bytes(), '{') {
		t.Errorf("%v\n%s", err, &errs)
	}
	var got []string
	for _, l := range readLog(t, file) {
		if l.Message == "note" {
			continue // a busy host makes the appliance say so
		}
		got = append(got, strings.TrimSpace(l.Logger+" "+l.Message+" "+l.Command+l.State+l.Signal))
	}
	want := []string{"begin backplane up", "appliance start", "board kernel started", "board state on", "control listen", "board state hello",
		"control request set", "signal terminated", "appliance shut down", "board kernel ended", "board state off", "appliance end", "end"}
	slices.Sort(want) // the socket and the board come up side by side
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestLogOfADetachedAppliance goes on when its starter has gone.
func TestLogOfADetachedAppliance(t *testing.T) {
	s := place(t)
	file := filepath.Join(s.dir, "up") // as the command's name
	s.do(0, "", "--log-format", "json", "--log-file", file, "up", "--detach", "--clock", "virtual", s.file())
	s.do(0, "", "down")
	var lines []logLine
	ended := func(l logLine) bool { return l.Message == "end" && l.Logger == "" }
	for n := 0; n < 2; time.Sleep(10 * time.Millisecond) { // up to the test's own limit: it ends after "down" has
		lines, n = readLog(t, file), 0
		for _, l := range lines {
			if ended(l) {
				n++
			}
		}
	}
	last := lines[len(lines)-1]
	if last.PID == lines[0].PID || !ended(last) || *last.Status != 0 || !slices.ContainsFunc(lines, func(l logLine) bool {
		return l.PID == last.PID && l.State == appliance.StateOff
	}) {
		t.Errorf("%+v", lines)
	}
}
