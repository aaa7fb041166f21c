package tests

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// talkers are guests that do something that is heard outside, without end.
var talkers = map[string]string{
	"console":   "yes > /dev/console",
	"GPIO line": "while true; do echo 1; echo 0; done > /sys/class/gpio/gpio512/value",
	"frames":    "load send 10.0.0.2:9 100 1h",
}

const talker = `name = "b"
memory = "96M"
[firmware]
rootfs = ["ROOT"]
[[gpio]]
name = "gpio0"
lines = ["a"]
[[ethernet]]
name = "eth0"
address = "10.0.0.1/24"
`

// TestTalkers has a board talk without end in virtual time: it can be looked at
// meanwhile, the clients of other boards are answered, and it ends when it is told to.
func TestTalkers(t *testing.T) {
	board := strings.Replace(talker, "ROOT", guesttest.Rootfs(t, "ip", guesttest.Program(t, "backplane/tests/programs/load")), 1)
	const segment = "name = \"main\"\n[[board]]\nname = \"b\"\nfile = \"b.toml\"\n[[segment]]\nname = \"lan\"\nports = [\"b.eth0\"]\n"
	for name, script := range talkers {
		t.Run(name, func(t *testing.T) {
			app := guesttest.Run(t, map[string]string{"main.toml": segment, "b.toml": board}, guesttest.Options{Seed: 1})
			app.Sh("b", "test -e /sys/class/gpio/gpio512 || echo 512 > /sys/class/gpio/export; echo out > /sys/class/gpio/gpio512/direction; /usr/sbin/ip neigh add 10.0.0.2 dev eth0 lladdr 02:00:00:00:00:99")
			app.StartCommand("b", "/bin/sh", "-c", script)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			talks, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				heard := 0
				_, err := app.Advance(ctx, simbus.Never, func(e *simbus.Event) bool {
					if heard++; heard == 1000 {
						close(talks)
					}
					return false
				})
				ended <- err
			}()
			select {
			case <-talks:
			case err := <-ended:
				t.Fatalf("it ended early: %v", err)
			}
			for range 10 {
				if list := app.States(); len(list) != 1 || list[0].State != "up" {
					t.Errorf("states: %+v", list)
				}
				if v, _, err := app.Get("b.gpio0.a"); err != nil || v != "0" && v != "1" {
					t.Errorf("get: %q, %v", v, err)
				}
			}
			select {
			case err := <-ended:
				t.Fatalf("it ended without being told to: %v", err)
			default:
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// TestTalkerAndClients has an appliance that is up with such a board: ps answers,
// down ends it with status 0, and the record is whole.
func TestTalkerAndClients(t *testing.T) {
	dir := t.TempDir()
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	file := filepath.Join(dir, "b.toml")
	if err := os.WriteFile(file, []byte(strings.Replace(talker, "ROOT", guesttest.Rootfs(t), 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	up := exec.Command(backplane(t), "up", "--clock", "virtual", "--out", filepath.Join(dir, "out"), file)
	up.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	up.Stderr = &errs
	stdout, err := up.StdoutPipe()
	if err == nil {
		err = up.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "b: up") {
	}
	client := exec.Command(backplane(t), "exec", "b", "--", "/bin/sh", "-c", "yes > /dev/console")
	client.Env = up.Env
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; { // until it talks
		if log, _ := os.ReadFile(filepath.Join(dir, "out/console/b.log")); bytes.Contains(log, []byte("y\r\ny\r\n")) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing on the console in a minute")
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = client.Process.Signal(unix.SIGKILL)
	_ = client.Wait()
	if out, errs, status := run(t, env, "ps"); status != 0 || !strings.Contains(out, "up") {
		t.Errorf("ps: status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := run(t, env, "down"); status != 0 {
		t.Errorf("down: status %d\n%s%s", status, out, errs)
	}
	for lines.Scan() {
	}
	if err := up.Wait(); err != nil {
		t.Errorf("up: %v\n%s", err, errs.String())
	}
}

// TestHostLimit bounds the host's time that a scenario may take, and says what it was
// taken for.
func TestHostLimit(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.toml": strings.Replace(talker, "ROOT", guesttest.Rootfs(t), 1),
		"s.toml": "appliance = \"b.toml\"\nhost_limit = \"2s\"\n[[step]]\nname = \"it computes\"\n" +
			"exec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"while true; do :; done\"] }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, status := run(t, nil, "run", filepath.Join(dir, "s.toml"))
	for _, want := range []string{"FAIL  it computes", "the host_limit of 2s is over", "board b has taken ", ": sh (PID "} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("status %d, and no %q in\n%s%s", status, want, out, errs)
		}
	}
}

// TestNotes has what a board will not have in virtual time said before and when it is run.
func TestNotes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.toml": "name = \"b\"\ncpus = 4\n",
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nexpect = { event = \"guest\", where = { detail = \"1 of its 4 CPUs\" }, never = true, within = \"1s\" }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const note = "board b: 1 of its 4 CPUs in virtual time"
	for _, args := range [][]string{{"check", dir + "/b.toml"}, {"check", dir + "/s.toml"}, {"run", "--out", dir + "/out", dir + "/s.toml"}} {
		out, errs, status := run(t, nil, args...)
		if status != 0 || !strings.Contains(out+errs, note) {
			t.Errorf("%v: status %d, and no %q in\n%s%s", args, status, note, out, errs)
		}
	}
	events, err := os.ReadFile(filepath.Join(dir, "out/events.jsonl"))
	if err != nil || !bytes.Contains(events, []byte(`"state":"on","detail":"1 of its 4 CPUs in virtual time`)) {
		t.Errorf("no event says so (%v):\n%.400s", err, events)
	}
}
