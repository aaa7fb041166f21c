package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// TestFloodsEnd tells appliances to end whose guests talk without end, or are asked in
// vain: they end in time, and a board that was not off by then is named.
func TestFloodsEnd(t *testing.T) {
	t.Parallel()
	const flood = "/usr/sbin/ip neigh add 10.0.0.9 dev eth0 lladdr ff:ff:ff:ff:ff:ff; load send 10.0.0.9:9 100 1h & load send 10.0.0.9:9 100 1h & echo begun; wait"
	tests := []struct{ name, clock, script string }{
		{"frames to all", "virtual", flood},
		{"frames to all in real time", "real", flood},
		{"consoles", "virtual", "echo begun; yes > /dev/console"},
		{"consoles in real time", "real", "echo begun; yes > /dev/console"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFloods(t, 3, "")
			up := startUp(t, f.env, "b2", f.file, "--clock", tt.clock)
			begun := make(chan error, 3)
			for i := range 3 {
				talks := exec.Command(backplane(t), "exec", fmt.Sprintf("b%d", i), "/bin/sh", "-c", tt.script)
				talks.Env = append(os.Environ(), f.env...)
				out, err := talks.StdoutPipe()
				if err == nil {
					err = talks.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = talks.Process.Kill(); _ = talks.Wait() })
				go func() {
					_, err := bufio.NewReader(out).ReadString('\n')
					begun <- err
				}()
			}
			for range 3 {
				if err := <-begun; err != nil {
					t.Fatalf("a board does not begin to talk: %v", err)
				}
			}
			endsIn(t, up, 2*time.Second)
		})
	}
}

// TestDeafBoards has two boards that are asked to shut down in vain, of which one may take
// longer: each has its plug pulled when its own time is over.
func TestDeafBoards(t *testing.T) {
	for _, clock := range []string{"real", "virtual"} {
		t.Run(clock, func(t *testing.T) {
			f := newFloods(t, 2, "shutdown = \"2s\"\nhandover = true\ninit = \"/bin/sh\"\ninit_args = [\"-c\", \"while true; do sleep 1000; done\"]\n")
			deaf := filepath.Join(f.dir, "root/usr/local/bin/poweroff")
			err := os.MkdirAll(filepath.Dir(deaf), 0o755)
			if err == nil {
				err = os.WriteFile(deaf, []byte("#!/bin/sh\nexit 0\n"), 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			long := filepath.Join(f.dir, "b1.toml")
			text, err := os.ReadFile(long)
			if err == nil {
				err = os.WriteFile(long, bytes.Replace(text, []byte("\"2s\""), []byte("\"4s\""), 1), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			record := filepath.Join(f.dir, "out")
			up := startUp(t, f.env, "b1", f.file, "--clock", clock, "--out", record)
			endsIn(t, up, 4*time.Second)
			events, err := os.ReadFile(filepath.Join(record, "events.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`"board":"b0"`, "plug pulled: not off within 2s", "plug pulled: not off within 4s"} {
				if !bytes.Contains(events, []byte(want)) {
					t.Errorf("no event has %q:\n%s", want, events)
				}
			}
		})
	}
}

// TestBusyboxEnds has a board whose process 1 is BusyBox' init, which takes a little more than two
// seconds to end all programs: it is powered off in order, without a word about that in its file.
func TestBusyboxEnds(t *testing.T) {
	dir := t.TempDir()
	root := guesttest.Rootfs(t)
	if err := os.MkdirAll(filepath.Join(root, "sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/busybox", filepath.Join(root, "sbin/init")); err != nil {
		t.Fatal(err)
	}
	file, record := filepath.Join(dir, "b.toml"), filepath.Join(dir, "out")
	board := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\ninit = \"/sbin/init\"\nhandover = true\n", root)
	if err := os.WriteFile(file, []byte(board), 0o644); err != nil {
		t.Fatal(err)
	}
	up := startUp(t, []string{"XDG_RUNTIME_DIR=" + dir}, "b", file, "--clock", "virtual", "--out", record)
	endsIn(t, up, 10*time.Second)
	events, err := os.ReadFile(filepath.Join(record, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "reboot: Power down"; !bytes.Contains(events, []byte(want)) || bytes.Contains(events, []byte("plug pulled")) {
		t.Errorf("it was not powered off in order, with a line %q:\n%s", want, events)
	}
}

// floods is an appliance of boards b0, b1 and so on, on one segment.
type floods struct {
	dir, file string
	env       []string
}

func newFloods(t *testing.T, n int, firmware string) *floods {
	t.Helper()
	dir := t.TempDir()
	f := &floods{dir: dir, file: filepath.Join(dir, "main.toml"), env: []string{"XDG_RUNTIME_DIR=" + dir}}
	root := guesttest.Rootfs(t, "ip", guesttest.Program(t, "backplane/tests/programs/load"))
	if err := os.Rename(root, filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	main, ports := "name = \"floods\"\n", ""
	for i := range n {
		board := fmt.Sprintf("name = \"b%d\"\nmemory = \"96M\"\n[firmware]\nrootfs = [\"root\"]\n%s[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.%d/24\"\n", i, firmware, i+1)
		name := fmt.Sprintf("b%d.toml", i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(board), 0o644); err != nil {
			t.Fatal(err)
		}
		main += fmt.Sprintf("[[board]]\nname = \"b%d\"\nfile = %q\n", i, name)
		ports += fmt.Sprintf("\"b%d.eth0\", ", i)
	}
	if err := os.WriteFile(f.file, []byte(main+"[[segment]]\nname = \"lan\"\nports = ["+ports+"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

// endsIn sends a SIGTERM, upon which up must end in order within a limit. What this machine
// does besides has some time, too.
func endsIn(t *testing.T, up *exec.Cmd, limit time.Duration) {
	t.Helper()
	begin := time.Now()
	if err := up.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := up.Wait()
	took := time.Since(begin)
	if err != nil {
		t.Errorf("it ends with %v", err)
	}
	if t.Logf("it took %s", took); took > limit+500*time.Millisecond {
		t.Errorf("it took %s to end, and may take %s", took, limit)
	}
}
