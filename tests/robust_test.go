package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph/catalog"
	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// write writes files into a folder of the test's.
func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestReplayOfCutRecords takes something off each file of a record.
func TestReplayOfCutRecords(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[gpio]]\nname = \"gpio0\"\nlines = [\"a\"]\n", guesttest.Rootfs(t)),
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nset = { \"b.gpio0.a\" = 1 }\n[[step]]\nwait = \"1s\"\nset = { \"b.gpio0.a\" = 0 }\n" +
			"[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"echo done >/dev/console\"] }\n",
	})
	record := filepath.Join(dir, "r")
	if out, errs, status := run(t, nil, "run", "--out", record, filepath.Join(dir, "s.toml")); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	tests := []struct {
		file   string
		keep   float64 // of its bytes
		output string
	}{
		{"inputs.jsonl", 0.5, "CUT: b, 1.010 s of the appliance's time and 4 inputs"},
		{"inputs.jsonl", 0, "CUT: b, 0.000 s of the appliance's time and 0 inputs"},
		{"events.jsonl", 0.5, "CUT: b, "},
		{"console/b.log", 0.9, "CUT: b, "},
		{"dtb/b.dtb", 0.5, "CUT: b, "},
		{"end.json", 0.5, "CUT: b, "},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.file, " ", tt.keep), func(t *testing.T) {
			cut := filepath.Join(t.TempDir(), "cut")
			if err := os.CopyFS(cut, os.DirFS(record)); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(filepath.Join(cut, tt.file))
			if err == nil {
				err = os.Truncate(filepath.Join(cut, tt.file), int64(tt.keep*float64(info.Size())))
			}
			if err != nil {
				t.Fatal(err)
			}
			out, errs, status := run(t, nil, "replay", cut)
			if status != 1 || !strings.HasPrefix(out, tt.output) || !strings.Contains(out, tt.file) || strings.Contains(out, "SAME") {
				t.Errorf("status %d\n%s%s", status, out, errs)
			}
		})
	}
}

// TestRunOnAFullDisk runs a scenario where no file can hold much: it must not pass.
func TestRunOnAFullDisk(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t)),
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"seq 100000 >/dev/console\"] }\n",
	})
	record := filepath.Join(dir, "r")
	if err := os.MkdirAll(filepath.Join(record, "console"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := onSmallDisk(t, filepath.Join(record, "console"), "run", "--out", record, filepath.Join(dir, "s.toml"))
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	out, errs, status := stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	if err == nil || status != 3 || strings.Contains(out, "PASSED") || !strings.Contains(errs, "console/b.log ends at 0.0") || !strings.Contains(errs, "no space left on device") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	data, err := os.ReadFile(filepath.Join(record, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Result string }
	if err := json.Unmarshal(data, &report); err != nil || report.Result != "failed" {
		t.Errorf("%v: the report says %q", err, report.Result)
	}
	if out, errs, status := run(t, nil, "run", "--verify", "2", "--out", filepath.Join(dir, "v"), filepath.Join(dir, "s.toml")); status != 0 {
		t.Errorf("with room, status %d\n%s%s", status, out, errs)
	}
}

// TestKilledInStartUp kills `up` at many moments between its start and its boards'
// coming up: nothing of it may go on or stay.
func TestKilledInStartUp(t *testing.T) {
	tmp, run := t.TempDir(), t.TempDir()
	file := filepath.Join(writeFiles(t, map[string]string{
		"b.toml": "name = \"b\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"a\"]\n",
		"a.toml": "name = \"a\"\n[[board]]\nname = \"b1\"\nfile = \"b.toml\"\n[[board]]\nname = \"b2\"\nfile = \"b.toml\"\n",
	}), "a.toml")
	var takes time.Duration // until there is a guest
	for i := range 61 {
		clock := []string{"real", "virtual"}[i%2]
		up := exec.Command(backplane(t), "up", "--clock", clock, file)
		up.Env = append(os.Environ(), "TMPDIR="+tmp, "XDG_RUNTIME_DIR="+run)
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		if began := time.Now(); i == 0 {
			for len(guests(t, tmp)) == 0 {
				if takes = time.Since(began); takes > time.Minute {
					t.Fatal("no guest came within a minute")
				}
			}
		}
		time.Sleep(takes * time.Duration(i) / 40) // any moment will do, most of them before there are guests
		if err := up.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = up.Wait()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		left, err := os.ReadDir(tmp)
		if err != nil {
			t.Fatal(err)
		}
		running := guests(t, tmp)
		if len(left) == 0 && len(running) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v, processes %v", left, running)
		}
	}
}

// TestTwoUpAtOneMoment starts an appliance twice at once, several times: one of the
// two has the name and is reached by it, the other says why it is not.
func TestTwoUpAtOneMoment(t *testing.T) {
	run := t.TempDir()
	file := filepath.Join(writeFiles(t, map[string]string{"b.toml": "name = \"twin\"\n"}), "b.toml")
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(backplane(t), args...)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+run)
		return cmd
	}
	for range 5 {
		ended := make(chan string, 2)
		for range 2 {
			up := command("up", file)
			var errs bytes.Buffer
			up.Stderr = &errs
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = up.Process.Kill() })
			go func() {
				_ = up.Wait()
				ended <- fmt.Sprintf("%d %s", up.ProcessState.ExitCode(), &errs)
			}()
		}
		if first := <-ended; !strings.HasPrefix(first, "3 backplane: an appliance named twin is already running") {
			t.Fatalf("of two, the first ended with %s", first)
		}
		for command("ps", "--name", "twin").Run() != nil && len(ended) == 0 { // not listening yet
			time.Sleep(10 * time.Millisecond)
		}
		if out, err := command("down", "--name", "twin").CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
		if second := <-ended; second != "0 " {
			t.Errorf("the one that was ended says %s", second)
		}
	}
}

// TestUpOnAFullDisk keeps a board up whose console cannot be recorded: it says so at
// once, and again with its status.
func TestUpOnAFullDisk(t *testing.T) {
	dir := writeFiles(t, map[string]string{"b.toml": fmt.Sprintf("name = \"full\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t))})
	record, env := filepath.Join(dir, "r"), []string{"XDG_RUNTIME_DIR=" + dir}
	if err := os.MkdirAll(filepath.Join(record, "console"), 0o755); err != nil {
		t.Fatal(err)
	}
	up := onSmallDisk(t, filepath.Join(record, "console"), "up", "--out", record, filepath.Join(dir, "b.toml"))
	up.Env = append(os.Environ(), env...)
	stderr, err := up.StderrPipe()
	if err == nil {
		err = up.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	const said = "console/full.log ends at "
	if !lines.Scan() || !strings.Contains(lines.Text(), said) {
		t.Errorf("at first it says %q", lines.Text())
	}
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var last string
	for lines.Scan() {
		last = lines.Text()
	}
	if err := up.Wait(); up.ProcessState.ExitCode() != 3 || !strings.Contains(last, "is incomplete: "+said) {
		t.Errorf("%v; at last it says %q", err, last)
	}
}

// onSmallDisk is a command of the program's for which a folder is a disk that holds 4 KiB.
func onSmallDisk(t *testing.T, folder string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("unshare", append([]string{"--user", "--map-root-user", "--mount", "sh", "-c",
		`mount -t tmpfs -o size=4k small "$0" && exec "$@"`, folder, backplane(t)}, args...)...)
	cmd.Dir = ".."
	return cmd
}

// descriptors counts what this program holds open.
func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// TestDescriptors compares what an appliance is said to need with what it has, and
// counts what reboots, programs and power cycles leave open.
func TestDescriptors(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		o.Out = t.TempDir()
		dir := writeFiles(t, pair(guesttest.Rootfs(t), ""))
		a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		before := descriptors(t)
		app := guesttest.RunFile(t, filepath.Join(dir, "main.toml"), o)
		const spare = 32 + 24 - 8 // for clients, and of the program itself: 8 of that come with the appliance
		boardsHave, boardsNeed := descriptors(t)-before, appliance.Descriptors(a, !o.Real, true)-spare
		now := boardsNeed // while nothing is plugged into the boards' spare places
		for i := range a.Board {
			if o.Real {
				now -= a.Board[i].Board.Spares * 3 * 2 // both ways of three queues
			}
		}
		if boardsHave > boardsNeed || boardsHave < now*2/3 {
			t.Errorf("it has %d file descriptors open, and is said to need %d, and %d now", boardsHave, boardsNeed, now)
		}
		cycle := func() {
			app.Sh("b2", "echo x")
			app.StartCommand("b1", "/bin/sh", "-c", "reboot -f")
			untilState(app, "b1", appliance.StateOff)
			untilState(app, "b1", appliance.StateUp)
			if err := app.PullPlug("b2"); err != nil {
				t.Fatal(err)
			}
			untilState(app, "b2", appliance.StateOff)
			if err := app.PowerOn("b2"); err != nil {
				t.Fatal(err)
			}
			untilState(app, "b2", appliance.StateUp)
		}
		cycle()
		first := descriptors(t)
		for range 5 {
			cycle()
		}
		if now := descriptors(t); now > first+2 { // a connection may be in the making
			t.Errorf("after five more reboots and power cycles %d file descriptors are open, and %d before", now, first)
		}
	})
}

// TestFewDescriptors runs appliances with lower and lower limits: each of them works,
// or says what it needs, and none hangs.
func TestFewDescriptors(t *testing.T) {
	board := "name = \"b\"\nmemory = \"64M\"\nspares = 0\n[[gpio]]\nname = \"gpio0\"\nlines = [\"a\"]\n[[i2c]]\nname = \"i2c1\"\n"
	many := "name = \"many\"\n"
	for i := range 40 {
		many += fmt.Sprintf("[[board]]\nname = \"b%d\"\nfile = \"b.toml\"\n", i)
	}
	steps := "[[step]]\nwait = \"1s\"\n"
	dir := writeFiles(t, map[string]string{"b.toml": board, "many.toml": many,
		"one-s.toml": "appliance = \"b.toml\"\n" + steps, "many-s.toml": "appliance = \"many.toml\"\n" + steps})
	tests := []struct {
		limit, clock, scenario string
		want                   string // on standard error; empty: it passes
	}{
		{"512", "virtual", "many-s.toml", "the appliance needs up to 1016 file descriptors; this program may have 512: raise the hard limit"},
		{"512", "real", "many-s.toml", "file descriptors; this program may have 512"},
		{"24", "virtual", "one-s.toml", "the appliance needs up to 80 file descriptors; this program may have 24"},
		{"80", "virtual", "one-s.toml", ""},
		{"128", "real", "one-s.toml", ""},
	}
	for _, tt := range tests {
		t.Run(tt.limit+" "+tt.clock+" "+tt.scenario, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", "-c", "ulimit -n "+tt.limit+` && exec "$@"`, "sh",
				backplane(t), "run", "--clock", tt.clock, filepath.Join(dir, tt.scenario))
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			if tt.want == "" && err != nil || tt.want != "" && (cmd.ProcessState.ExitCode() != 3 || !strings.Contains(errs.String(), tt.want)) {
				t.Errorf("%v\n%s%s", err, &out, &errs)
			}
		})
	}
}

// TestBytesOfEvents sends a byte that is no UTF-8, and the letter that it would be in
// Latin-1: the record tells them apart, and so does a replay.
func TestBytesOfEvents(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\n", guesttest.Rootfs(t)),
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"printf '\\\\344\\\\303\\\\244' >/dev/ttyS1\"] }\n[[step]]\nwait = \"10ms\"\n",
	})
	record := filepath.Join(dir, "r")
	if out, errs, status := run(t, nil, "run", "--out", record, filepath.Join(dir, "s.toml")); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	events, err := os.ReadFile(filepath.Join(record, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var sent, written string
	for line := range strings.Lines(string(events)) {
		e, err := simbus.ParseEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == serial.KindTx {
			data, _ := e.Get("data")
			sent, written = sent+data, written+line
		}
	}
	if sent != "\xe4\xc3\xa4" || !strings.Contains(written, `"\udce4`) || !strings.Contains(written, `ä"`) {
		t.Errorf("it sent %q, as\n%s", sent, written)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
