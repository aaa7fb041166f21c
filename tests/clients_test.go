package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	s := &visited{t: t, dir: t.TempDir()}
	s.env = []string{"XDG_RUNTIME_DIR=" + s.dir}
	root := guesttest.Rootfs(t)
	for _, applet := range []string{"yes", "tee", "pidof", "tty"} {
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
	s.up = startUp(t, s.env, "b", s.file(), args...)
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
			until("go-3")
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
			if got := s.do(0, "echo typed\n", "exec", "-t", "b", "sh"); !strings.Contains(got, "typed\r\n") {
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
