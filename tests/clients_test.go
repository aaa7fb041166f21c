package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/tests/guesttest"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// visited is an appliance of one board, b, that clients reach.
type visited struct {
	t   *testing.T
	dir string
	env []string
	up  *exec.Cmd
}

func visit(t *testing.T, args ...string) *visited {
	t.Helper()
	s := place(t)
	s.up = startUp(t, s.env, "b", s.file(), args...)
	return s
}

// place is an appliance that is not up yet.
func place(t *testing.T) *visited {
	t.Helper()
	s := &visited{t: t, dir: t.TempDir()}
	s.env = []string{"XDG_RUNTIME_DIR=" + s.dir}
	root := guesttest.Rootfs(t)
	for _, applet := range []string{"yes", "tee", "pidof", "tty", "stat", "setsid"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	board := fmt.Sprintf("name = \"b\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\n"+
		"[[gpio]]\nname = \"gpio0\"\nlines = [\"key\", \"out\"]\n[[gpio.chip]]\nname = \"button0\"\nmodel = \"button\"\npins = { out = \"key\" }\n"+
		"[[i2c]]\nname = \"i2c1\"\nnumber = 1\n[[i2c.chip]]\nname = \"temp0\"\nmodel = \"tmp102\"\naddress = 0x48\n", root)
	if err := os.WriteFile(s.file(), []byte(board), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *visited) file() string { return filepath.Join(s.dir, "b.toml") }

// client is a client, not started yet.
func (s *visited) client(args ...string) *exec.Cmd {
	cmd := exec.Command(backplane(s.t), args...)
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

// do runs a client and wants its status.
func (s *visited) do(want int, stdin string, args ...string) string {
	s.t.Helper()
	cmd := s.client(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if status := status(s.t, cmd.Run()); status != want {
		s.t.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, out.String(), errs.String())
	}
	return out.String()
}

func (s *visited) down() {
	s.t.Helper()
	s.do(0, "", "down")
	if err := s.up.Wait(); err != nil {
		s.t.Errorf("up ends with %v", err)
	}
}

// status is an exit status, as a shell has it.
func status(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err == nil {
		return 0
	}
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ws := exit.Sys().(interface{ Signaled() bool }); ws.Signaled() {
		t.Errorf("it was killed: %v", err)
	}
	return exit.ExitCode()
}

// TestClientsOnSignals ends each client that waits by its first signal.
func TestClientsOnSignals(t *testing.T) {
	s := visit(t)
	fifo := filepath.Join(s.dir, "fifo") // whose reader takes nothing
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, args := range [][]string{
		{"events", "-f"},
		{"exec", "b", "sleep", "1000"},
		{"exec", "b", "cat"},
		{"exec", "b", "yes"},
		{"console", "b"},
	} {
		for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
			t.Run(fmt.Sprint(args, " ", sig), func(t *testing.T) {
				cmd := s.client(args...)
				in, err := cmd.StdinPipe() // stays open
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				cmd.Stdout = reader
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(300 * time.Millisecond) // it waits by then
				want := 128 + int(sig)
				_ = cmd.Process.Signal(sig)
				if got := status(t, within(t, cmd)); got != want {
					t.Errorf("status %d, want %d", got, want)
				}
			})
		}
	}
	s.down()
}

// TestCancelWithDescendants ends a client whose command has left another that holds
// its output: for the agent it is over all the same.
func TestCancelWithDescendants(t *testing.T) {
	s := visit(t)
	cmd := s.client("exec", "b", "sh", "-c", "setsid sleep 999 & echo ready; sleep 1000")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	events := s.client("events", "-f")
	stream, err := events.StdoutPipe()
	if err == nil {
		err = events.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.do(0, "", "press", "b.button0")
	seen := bufio.NewScanner(stream)
	for seen.Scan() && !strings.Contains(seen.Text(), `"pressed"`) { // it follows
	}
	_ = cmd.Process.Signal(unix.SIGINT)
	if got := status(t, within(t, cmd)); got != 130 {
		t.Errorf("status %d", got)
	}
	defer time.AfterFunc(20*time.Second, func() { _ = events.Process.Kill() }).Stop()
	for {
		if !seen.Scan() {
			t.Error("the agent has not ended it")
			break
		}
		if strings.Contains(seen.Text(), `"command":"sh -c setsid`) {
			_ = events.Process.Signal(unix.SIGINT)
			break
		}
	}
	_ = events.Wait()
	s.down()
}

// within waits for a client that is to end now.
func within(t *testing.T, cmd *exec.Cmd) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("it does not end")
		return <-done
	}
}

// TestExecStreams gives a command its input piece by piece, sees each come back
// before the next is sent, and then more than all windows hold.
func TestExecStreams(t *testing.T) {
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			s := visit(t, "--clock", clock)
			cmd := s.client("exec", "b", "cat")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			for i := range 3 {
				line := fmt.Sprintf("line %d\n", i)
				if _, err := io.WriteString(in, line); err != nil {
					t.Fatal(err)
				}
				if got, err := lines.ReadString('\n'); got != line {
					t.Fatalf("%q comes back, %v", got, err)
				}
			}
			_ = in.Close()
			if err := within(t, cmd); err != nil {
				t.Error(err)
			}
			big := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
			if got := s.do(0, big, "exec", "b", "cat"); got != big {
				t.Errorf("%d bytes of %d come back", len(got), len(big))
			}
			s.do(7, "", "exec", "b", "sh", "-c", "exit 7")
			s.do(0, big, "exec", "b", "true") // which reads none of it
			if got := s.do(0, "", "exec", "b", "--", "ls", "-d", "/proc/self"); got != "/proc/self\n" {
				t.Errorf("ls prints %q", got)
			}
			if got := s.do(0, "", "exec", "b", "echo", "--", "-n", "--name"); got != "-- -n --name\n" {
				t.Errorf("echo prints %q", got)
			}
			s.do(0, "", "set", "b.temp0.temperature", "-20")
			s.do(0, "", "set", "b.temp0.temperature", "--", "-20.5", "--name", "b")
			if got := s.do(0, "", "get", "b.temp0.temperature"); got != "-20.5 °C\n" {
				t.Errorf("get prints %q", got)
			}
			s.down()
		})
	}
}

// TestSlowReader has a command whose output nobody takes: its board goes on, and so
// does who looks.
func TestSlowReader(t *testing.T) {
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			s := visit(t, "--clock", clock)
			cmd := s.client("exec", "b", "yes")
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 2)
			if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "y\n" { // then no more
				t.Fatalf("%q, %v", buf, err)
			}
			// When all windows are full, yes does nothing more.
			s.do(0, "", "exec", "b", "sh", "-c", "until a=$(cat /proc/$(pidof yes)/stat); sleep 0.5; test \"$a\" = \"$(cat /proc/$(pidof yes)/stat)\"; do :; done")
			for range 5 {
				if out := s.do(0, "", "ps"); !strings.Contains(out, "up") {
					t.Errorf("ps prints\n%s", out)
				}
				if got := s.do(0, "", "exec", "b", "echo", "hello"); got != "hello\n" {
					t.Errorf("another command prints %q", got)
				}
			}
			if got, err := io.Copy(io.Discard, io.LimitReader(out, 4<<20)); got != 4<<20 { // it goes on
				t.Errorf("%d bytes, %v", got, err)
			}
			_ = cmd.Process.Signal(unix.SIGTERM)
			if got := status(t, cmd.Wait()); got != 128+int(unix.SIGTERM) {
				t.Errorf("status %d", got)
			}
			s.do(0, "", "exec", "b", "sh", "-c", "while pidof yes; do usleep 10000; done") // its end is that of the program
			s.down()
		})
	}
}

// TestExecTerminal runs a shell on a terminal of a size that changes.
func TestExecTerminal(t *testing.T) {
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			s := visit(t, "--clock", clock)
			cmd := s.client("exec", "-t", "b", "sh")
			tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 31, Cols: 97})
			if err != nil {
				t.Fatal(err)
			}
			defer tty.Close()
			defer time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
			var seen bytes.Buffer
			until := func(want string) {
				t.Helper()
				buf := make([]byte, 4096)
				for !strings.Contains(seen.String(), want) {
					n, err := tty.Read(buf)
					seen.Write(buf[:n])
					if err != nil {
						t.Fatalf("%v, and no %q in\n%q", err, want, seen.String())
					}
				}
				seen.Next(strings.Index(seen.String(), want) + len(want))
			}
			say := func(text string) {
				t.Helper()
				if _, err := io.WriteString(tty, text); err != nil {
					t.Fatal(err)
				}
			}
			say("stty size; tty\r")
			until("31 97\r\n/dev/pts/0\r\n")
			say("sh -c 'trap \"stty size; exit\" WINCH; echo ready-$((1+1)); while :; do usleep 10000; done'\r")
			until("ready-2")
			if err := pty.Setsize(tty, &pty.Winsize{Rows: 40, Cols: 132}); err != nil {
				t.Fatal(err)
			}
			until("40 132")
			say("sh -c 'echo go-$((1+2)); cat'\r")
			until("go-3\r\n") // else what is typed is echoed before the line ends
			say("xyz\r")
			until("xyz\r\nxyz")
			say("\x03") // it ends cat there, not this client
			until("# ")
			say("echo status-$?\r")
			until("status-130")
			until("# ")
			say("exit 5\r")
			if got := status(t, within(t, cmd)); got != 5 {
				t.Errorf("status %d", got)
			}
			if got := s.do(0, "echo typed\nexit\n", "exec", "-t", "b", "sh"); !strings.Contains(got, "typed\r\n") {
				t.Errorf("without a terminal here: %q", got)
			}
			s.down()
		})
	}
}

// TestConsoleBytes sends every byte to a UART.
func TestConsoleBytes(t *testing.T) {
	s := visit(t)
	reader := s.client("exec", "b", "sh", "-c", "stty -F /dev/ttyS1 raw -echo; echo ready; dd bs=1 count=256 < /dev/ttyS1 2>/dev/null")
	out, err := reader.StdoutPipe()
	if err == nil {
		err = reader.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	if line, err := in.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s.do(0, string(all), "console", "b:uart1")
	if got, err := io.ReadAll(in); !bytes.Equal(got, all) {
		t.Errorf("%d bytes arrive: % x, %v", len(got), got, err)
	}
	if err := within(t, reader); err != nil {
		t.Error(err)
	}
	s.down()
}

// TestReplayOfClients repeats a session whose clients were slow and streamed, and
// had a terminal.
func TestReplayOfClients(t *testing.T) {
	record := filepath.Join(t.TempDir(), "record")
	s := visit(t, "--clock", "virtual", "--seed", "5", "--out", record)
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	if got := s.do(0, big, "exec", "b", "sh", "-c", "tee /tmp/big | md5sum > /dev/console; cat /tmp/big"); got != big {
		t.Errorf("%d bytes come back", len(got))
	}
	s.do(0, "stty size > /dev/console\n", "exec", "-t", "b", "sh")
	file := filepath.Join(s.dir, "big")
	if err := os.WriteFile(file, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	s.do(0, "", "cp", file, "b:/tmp/copy")
	s.do(0, "", "cp", "b:/tmp/copy", file)
	s.do(0, "", "press", "b.button0")
	s.do(0, "ls\n", "console", "b")
	sleeper := s.client("exec", "b", "sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	s.do(0, "", "exec", "b", "sh", "-c", "until pidof sleep; do usleep 10000; done")
	_ = sleeper.Process.Signal(unix.SIGINT)
	_ = sleeper.Wait()
	s.do(0, "", "exec", "b", "sh", "-c", "while pidof sleep; do usleep 10000; done > /dev/null; date > /dev/console")
	s.do(0, "", "power", "cut", "b")
	s.do(0, "", "power", "on", "b")
	s.do(0, "", "wait", "up")
	yes := s.client("exec", "b", "sh", "-c", "yes | head -c 3000000; date > /dev/console")
	out, err := yes.StdoutPipe()
	if err == nil {
		err = yes.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for { // slowly
		if n, err := io.CopyN(io.Discard, out, 300000); err != nil || n == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := yes.Wait(); err != nil {
		t.Error(err)
	}
	s.down()
	if out, errs, status := run(t, nil, "replay", record); status != 0 || !strings.Contains(out, "SAME: b, ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// TestDownAgainAndAgain has an appliance go up in the background and down again:
// down is answered each time, when all is written.
func TestDownAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := place(t)
	for i := range 60 {
		clock := []string{"real", "virtual"}[i%2]
		out := filepath.Join(s.dir, fmt.Sprint("out", i))
		if said := s.do(0, "", "up", "--detach", "--clock", clock, "--out", out, s.file()); !strings.Contains(said, "b: up") {
			t.Fatalf("up says %q", said)
		}
		end := s.client("wait", "end")
		if err := end.Start(); err != nil {
			t.Fatal(err)
		}
		s.do(0, "", "wait", "up")
		s.do(0, "", "down")
		if events, err := os.ReadFile(filepath.Join(out, "events.jsonl")); err != nil || !bytes.HasSuffix(events, []byte("\n")) || !bytes.Contains(events, []byte(`"state":"off"`)) {
			t.Errorf("run %d: the events end with %q, %v", i, events[max(0, len(events)-100):], err)
		}
		if got := status(t, end.Wait()); got != 0 && got != 2 { // 2: it was too late to find the appliance
			t.Errorf("wait end: status %d", got)
		}
		os.RemoveAll(out)
	}
}

// TestDetachFails: what is wrong is said, with its status.
func TestDetachFails(t *testing.T) {
	s := place(t)
	bad := filepath.Join(s.dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("name = \"bad\"\n[firmware]\nargs = \"panic=0 rdinit=/nowhere\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := s.client("up", "--detach", "--clock", "virtual", bad)
	out, err := cmd.CombinedOutput()
	if got := status(t, err); got != 1 || !bytes.Contains(out, []byte("board bad is not up: ")) {
		t.Errorf("status %d\n%s", got, out)
	}
	s.do(1, "", "wait", "up")
	s.do(0, "", "down")
	s.do(2, "", "up", "--detach", filepath.Join(s.dir, "nowhere.toml"))
}

// TestActions does to a board what clients can do.
func TestActions(t *testing.T) {
	s := place(t)
	s.do(0, "", "up", "--detach", "--clock", "virtual", s.file())
	s.do(0, "", "press", "b.button0", "--hold", "1h")
	if got := s.do(0, "", "get", "b.button0.pressed"); got != "on\n" {
		t.Errorf("the button is %q", got)
	}
	s.do(2, "", "press", "b.temp0")
	s.do(2, "", "cut", "lan")

	// Files, both ways, with their modes.
	big := strings.Repeat("0123456789abcdef", 1<<16)
	here, back := filepath.Join(s.dir, "here"), filepath.Join(s.dir, "back")
	if err := os.WriteFile(here, []byte(big), 0o755); err != nil {
		t.Fatal(err)
	}
	s.do(0, "", "cp", here, "b:/opt/new/")
	if got := s.do(0, "", "exec", "b", "stat", "-c", "%a %s", "/opt/new/here"); got != "755 1048576\n" {
		t.Errorf("on the board it is %q", got)
	}
	s.do(0, "", "cp", "b:/opt/new/here", back)
	if data, err := os.ReadFile(back); err != nil || string(data) != big {
		t.Errorf("%d bytes come back, %v", len(data), err)
	}
	if info, err := os.Stat(back); err != nil || info.Mode() != 0o755 {
		t.Errorf("with %v, %v", info, err)
	}
	if got := s.do(0, "", "cp", "b:/proc/sys/kernel/hostname", "-"); got != "b\n" {
		t.Errorf("a file on standard output: %q", got)
	}
	s.do(1, "", "cp", "b:/nowhere", back)
	s.do(1, "", "cp", here, "b:/proc/nowhere")
	s.do(2, "", "cp", here, back)
	cp := s.client("cp", "b:/dev/zero", back) // which has no end
	if err := cp.Start(); err != nil {
		t.Fatal(err)
	}
	for made := 0; made == 0; time.Sleep(time.Millisecond) {
		list, _ := filepath.Glob(filepath.Join(s.dir, ".backplane-*"))
		made = len(list)
	}
	_ = cp.Process.Signal(unix.SIGINT)
	if got := status(t, within(t, cp)); got != 130 {
		t.Errorf("cp ends with %d", got)
	}
	if data, err := os.ReadFile(back); err != nil || string(data) != big {
		t.Errorf("what was there is %d bytes now, %v", len(data), err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".backplane-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	s.do(0, "", "power", "off", "b")
	s.do(0, "", "wait", "off", "b")
	s.do(2, "", "power", "off", "b")
	s.do(0, "", "power", "on", "b")
	s.do(0, "", "wait", "up")
	s.do(0, "", "power", "cut", "b")
	if got := s.do(1, "", "wait", "--limit", "100ms", "up"); got != "" {
		t.Errorf("wait says %q", got)
	}
	if got := s.do(0, "", "logs", "-n", "5"); strings.Count(got, "\n") != 5 || !strings.Contains(got, "b            | ") {
		t.Errorf("logs prints\n%s", got)
	}
	s.do(0, "", "down")
}

// TestLists reads back as JSON what is listed, and completes what can be named.
func TestLists(t *testing.T) {
	s := place(t)
	s.do(0, "", "up", "--detach", s.file())
	var states []appliance.BoardState
	if err := json.Unmarshal([]byte(s.do(0, "", "ps", "--json")), &states); err != nil || len(states) != 1 || states[0].State != "up" || unix.Kill(states[0].PID, 0) != nil {
		t.Errorf("ps: %+v, %v", states, err)
	}
	if out := s.do(0, "", "ps"); !strings.Contains(out, fmt.Sprintf(" %d\n", states[0].PID)) || strings.Contains(out, "\x1b") {
		t.Errorf("ps prints\n%q", out)
	}
	var readings []appliance.Reading
	if err := json.Unmarshal([]byte(s.do(0, "", "get", "--json")), &readings); err != nil {
		t.Fatal(err)
	}
	list := s.do(0, "", "get")
	for _, want := range []appliance.Reading{
		{Path: "b.temp0.temperature", Value: "25", Unit: "°C"}, {Path: "b.button0.pressed", Value: "off"},
		{Path: "b.gpio0.key", Value: "1"}, {Path: "b.uart1.sent", Value: "0"},
	} {
		if !slices.Contains(readings, want) || !strings.Contains(list, want.Path+" ") {
			t.Errorf("no %+v in\n%s", want, list)
		}
	}
	var one appliance.Reading
	if err := json.Unmarshal([]byte(s.do(0, "", "get", "--json", "b.temp0.temperature")), &one); err != nil || one.Unit != "°C" {
		t.Errorf("%+v, %v", one, err)
	}
	for line := range strings.Lines(s.do(0, "", "logs", "--json")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("logs --json prints %q", line)
		}
	}
	for _, tt := range []struct {
		args []string
		want string // among what is offered
	}{
		{[]string{"exec", ""}, "b\n"},
		{[]string{"console", ""}, "b:uart1\n"},
		{[]string{"get", "b.t"}, "b.temp0.temperature\n"},
		{[]string{"set", "b.button0.p"}, "b.button0.press\n"},
		{[]string{"press", ""}, "b.button0\n"},
		{[]string{"power", "on", ""}, "b\n"},
		{[]string{"wait", ""}, "end\n"},
		{[]string{"wait", "up", ""}, "b\n"},
		{[]string{"ps", "--name", ""}, "b\n"},
	} {
		if got := s.do(0, "", append([]string{"__complete"}, tt.args...)...); !strings.Contains("\n"+got, "\n"+tt.want) {
			t.Errorf("%q is completed with\n%s", tt.args, got)
		}
	}
	if out := s.do(0, "", "completion", "bash"); !strings.Contains(out, "__complete") {
		t.Error("no completion for bash")
	}
	if out := s.do(0, "", "version"); !strings.HasPrefix(out, "backplane ") {
		t.Errorf("version prints %q", out)
	}
	for _, tt := range []struct {
		env    string
		colour bool
	}{{"A=b", true}, {"NO_COLOR=1", false}} { // on a terminal
		cmd := s.client("ps")
		cmd.Env = append(cmd.Env, "TERM=xterm", tt.env)
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(tty) // which ends with EIO
		if strings.Contains(string(out), "\x1b[32mup") != tt.colour || !strings.Contains(string(out), "up") {
			t.Errorf("with %s, ps prints %q", tt.env, out)
		}
		_ = cmd.Wait()
		tty.Close()
	}
	s.do(0, "", "down")
}
