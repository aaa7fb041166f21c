package tests

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestExecStatuses: a program that is not there or cannot be started has the status that
// shells give it, and too many arguments a message.
func TestExecStatuses(t *testing.T) {
	s := visit(t)
	s.do(127, "", "exec", "b", "nothing-of-that-name")
	s.do(127, "", "exec", "b", "/bin/nothing-of-that-name")
	s.do(126, "", "exec", "b", "/proc/version")
	s.do(126, "", "exec", "b", "/bin")
	long := []string{"exec", "b", "echo"}
	for range 3000 {
		long = append(long, strings.Repeat("x", 100))
	}
	cmd := s.client(long...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if status := status(t, cmd.Run()); status != 2 || !strings.Contains(errs.String(), "at most 65536") {
		t.Errorf("with 300 kB of arguments: status %d\n%s", status, errs.String())
	}
	s.down()
}

// TestExecWhileBooting runs a command on a board whose bootloader is running.
func TestExecWhileBooting(t *testing.T) {
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			s := place(t)
			text, err := os.ReadFile(s.file())
			if err == nil {
				err = os.WriteFile(s.file(), append(text, "[time]\nboot = \"2s\"\n"...), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.up = startUntil(t, s.env, []string{" has started"}, s.file(), "--clock", clock)
			cmd := s.client("exec", "b", "echo", "hello")
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if status := status(t, cmd.Run()); status != 0 || out.String() != "hello\n" {
				t.Errorf("status %d, %q\n%s", status, out.String(), errs.String())
			}
			if want := "board b boots: waiting for its agent"; !strings.Contains(errs.String(), want) {
				t.Errorf("it does not say %q: %q", want, errs.String())
			}
			s.down()
		})
	}
}

// TestExecOnLostBoard pulls a board's plug while a program runs: nobody knows its status.
func TestExecOnLostBoard(t *testing.T) {
	app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t))}, guesttest.Options{Seed: 1})
	app.StartCommand("b", "/bin/sleep", "1000")
	app.Sleep(time.Second)
	if err := app.PullPlug("b"); err != nil {
		t.Fatal(err)
	}
	e := app.Until(time.Second, "the end of sleep", func(e *simbus.Event) bool { return e.Kind == appliance.KindExec })
	if status, has := e.Get("status"); has {
		t.Errorf("it has status %s", status)
	}
	if why, _ := e.Get("error"); why != "the board went off meanwhile" {
		t.Errorf("its error is %q", why)
	}
}
