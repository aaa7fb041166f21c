package tests

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestWordsForMistakes: what somebody who does not know the program gets wrong is said
// with its status, and with what would be right.
func TestWordsForMistakes(t *testing.T) {
	s := place(t)
	said := s.do(0, "", "up", "--detach", s.file())
	for _, want := range []string{"b has started, and its boards are booting: 'backplane wait up --name b'", "b is up, in the background: 'backplane down b' ends it"} {
		if !strings.Contains(said, want) {
			t.Errorf("up --detach does not say %q, but\n%s", want, said)
		}
	}
	if strings.Contains(said, "Ctrl-C") {
		t.Errorf("up --detach speaks of Ctrl-C:\n%s", said)
	}
	_, rest, _ := strings.Cut(said, "from now on go to ")
	log, _, _ := strings.Cut(rest, "; ")
	if _, err := os.Stat(log); err != nil {
		t.Errorf("up --detach names a file: %v\n%s", err, said)
	}
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"exec x true", 2, `there is no board "x": did you mean "b"?`},
		{"wait up x", 2, `there is no board "x"`},
		{"cp x:/tmp/y .", 2, `there is no board "x"`},
		{"cp /etc/hosts x:/tmp/y", 2, `there is no board "x"`},
		{"console x", 2, `there is no board "x"`},
		{"logs x", 2, `there is no board "x"`},
		{"logs b:consul", 2, `board b: there is no console "consul": did you mean "console"?`},
		{"power off x", 2, `there is no board "x"`},
		{"press x.y", 2, `there is no board "x"`},
		{"get x.y.z", 2, `there is no board "x"`},
		{"set x.y.z 1", 2, `there is no board "x"`},
		{"disk create /etc/hosts --size 1M", 2, "/etc/hosts is there already: remove it first"},
		{"get b.temp0", 0, "b.temp0.temperature  "},
		{"get b", 0, "b.temp0.temperature  "},
		{"get b.temp", 2, `"b.temp" names nothing`},
		{"exec b no-such-program", 127, "board b: exec: \"no-such-program\""},
		{"exec b -t sh", 127, "flags come before BOARD, as in 'backplane exec -t b sh'"},
		{"cp b:/tmp .", 1, "b:/tmp is a folder on the board: use 'backplane exec b tar c -C /tmp . | tar x'"},
		{"cp b:tmp .", 2, "a path on a board begins with /"},
		{"cp /etc/hosts b:/tmp", 1, "b:/tmp is a folder on the board: add a /"},
		{"down bb", 2, `no appliance named bb is running: did you mean "b"?`},
	} {
		cmd := s.client(strings.Fields(tt.args)...)
		out, err := cmd.CombinedOutput()
		if got := status(t, err); got != tt.status || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: status %d, want %d, and %q\n%s", tt.args, got, tt.status, tt.want, out)
		}
	}
	s.do(0, "", "down", "b")
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("the file of an appliance that has ended in order: %v", err)
	}
}

// TestSetCompletesWhatCanBeSet: read-only properties are completed for get alone.
func TestSetCompletesWhatCanBeSet(t *testing.T) {
	s := place(t)
	s.do(0, "", "up", "--detach", s.file())
	for command, want := range map[string]bool{"get": true, "set": false} {
		list := s.do(0, "", "__complete", command, "b.")
		if strings.Contains(list, "b.uart1.overrun\n") != want || !strings.Contains(list, "b.temp0.temperature\n") {
			t.Errorf("%s completes\n%s", command, list)
		}
	}
	s.do(0, "", "down")
}

// TestOutReplacesRecordsOnly: a record takes the place of an older one, and of nothing else.
func TestOutReplacesRecordsOnly(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml":   "name = \"b\"\n",
		"c.toml":   "name = \"c\"\n",
		"b.s.toml": "appliance = \"b.toml\"\n[[step]]\nwait = \"1ms\"\n",
		"c.s.toml": "appliance = \"c.toml\"\n[[step]]\nwait = \"1ms\"\n",
	})
	record := filepath.Join(dir, "r")
	for i, name := range []string{"b", "c"} {
		out, errs, status := run(t, nil, "run", "--out", record, filepath.Join(dir, name+".s.toml"))
		if status != 0 || strings.Contains(errs, "the record of an earlier run, which this one replaces") != (i == 1) {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
		if err := os.WriteFile(filepath.Join(record, "mine"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(record, "console", "*"))
	if len(left) != 1 || !strings.Contains(left[0], "c") {
		t.Errorf("the record of c has the consoles %q", left)
	}
	if _, err := os.Stat(filepath.Join(record, "mine")); err != nil {
		t.Error(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "run.json"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, status := run(t, nil, "run", "--out", other, filepath.Join(dir, "b.s.toml"))
	if left, _ := filepath.Glob(filepath.Join(other, "*")); status != 2 || !strings.Contains(errs, "has a file run.json and is not a record of a run") || len(left) != 1 {
		t.Errorf("another's run.json: status %d, %q\n%s", status, left, errs)
	}
}

// TestFIFOOfKilledCapture: the pipe of a capture goes at a signal, also while its reader
// does not read, and one that was left behind is taken over.
func TestFIFOOfKilledCapture(t *testing.T) {
	s := place(t)
	appliance := filepath.Join(s.dir, "a.toml")
	if err := os.WriteFile(appliance, []byte("name = \"a\"\n[[board]]\nfile = \"n.toml\"\n[[segment]]\nname = \"lan\"\nports = [\"n.eth0\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "n.toml"), []byte("name = \"n\"\n[[ethernet]]\nname = \"eth0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.do(0, "", "up", "--detach", appliance)
	fifo := filepath.Join(s.dir, "live")
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		c := s.client("capture", "lan", "--fifo", fifo)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// The pipe of one that was killed is there already: opening it waits for a writer.
		for _, err := os.Stat(fifo); err != nil; _, err = os.Stat(fifo) {
			runtime.Gosched()
		}
		reader, err := os.Open(fifo)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Read(make([]byte, 1)); err != nil { // the capture has begun
			t.Errorf("%s: %v", sig, err)
		}
		_ = c.Process.Signal(sig)
		_ = c.Wait()
		reader.Close()
		if _, err := os.Stat(fifo); (err == nil) != (sig == syscall.SIGKILL) {
			t.Errorf("after %s: %v", sig, err)
		}
	}
	s.do(0, "", "down")
}
