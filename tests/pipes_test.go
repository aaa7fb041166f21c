package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestMuchIntoAConsole: what is piped into a console waits for a board that takes it
// slowly, however much it is.
func TestMuchIntoAConsole(t *testing.T) {
	s := &visited{t: t, dir: t.TempDir()}
	s.env = []string{"XDG_RUNTIME_DIR=" + s.dir}
	board := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[console]]\nname = \"data\"\ndevice = \"/dev/data\"\n", guesttest.Rootfs(t))
	if err := os.WriteFile(s.file(), []byte(board), 0o644); err != nil {
		t.Fatal(err)
	}
	s.up = startUp(t, s.env, "b", s.file())
	const lines = 100_000 // 2.4 MB, of which a console keeps 1 MiB
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "line %06d of the file\n", i)
	}
	reader := s.client("exec", "b", "sh", "-c", fmt.Sprintf("stty raw -echo < /dev/data; echo ready; sleep 1; head -n %d < /dev/data", lines))
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
	typed := make(chan error, 1)
	typing := s.client("console", "b:data")
	typing.Stdin = strings.NewReader(text.String())
	go func() { typed <- typing.Run() }()
	if got, err := io.ReadAll(in); string(got) != text.String() {
		t.Errorf("%d bytes arrive of %d, %v", len(got), text.Len(), err)
	}
	if err := errors.Join(within(t, reader), <-typed); err != nil {
		t.Error(err)
	}
	s.down()
}

// TestTooSlowForAConsole: who reads a console too slowly is told what is missing.
func TestTooSlowForAConsole(t *testing.T) {
	s := visit(t)
	slow := s.client("console", "b")
	in, err := slow.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := slow.StdoutPipe()
	var errs bytes.Buffer
	slow.Stderr = &errs
	if err == nil {
		err = slow.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil { // a prompt comes: it is attached
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s.do(0, "", "exec", "b", "sh", "-c", "yes 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde | head -c 8000000 > /dev/console")
	in.Close()
	all, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	dropped := 0
	_, err = fmt.Sscanf(errs.String(), "backplane: %d bytes of output were dropped:", &dropped)
	if got := status(t, within(t, slow)); got != 1 || err != nil || dropped == 0 || len(all)+dropped < 8_000_000 {
		t.Errorf("status %d, %v: %d bytes, and %d dropped\n%s", got, err, len(all), dropped, errs.String())
	}
	s.down()
}
