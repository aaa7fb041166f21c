package confine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// attacker is the argv[0] with which this test is the confined program.
const attacker = "attacker"

func TestMain(m *testing.M) {
	if os.Args[0] == attacker {
		attackAll()
		return
	}
	os.Exit(m.Run())
}

const (
	testProcesses = 40
	testFiles     = 256
)

// run confines this test's own program, and returns what it said.
func run(t *testing.T, told target, with Program) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "board")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/own", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir+"/own.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if Drops() {
		for _, f := range []string{"", "/own", "/own.sock"} {
			if err := os.Chown(dir+f, Nobody, Nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	memory, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	arg, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	stray, err := unix.Open("/dev/null", unix.O_RDONLY, 0) // as a shell may leave one
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(stray)
	var out bytes.Buffer
	with.Path, with.Name, with.Args, with.Env = self, attacker, []string{string(arg)}, []string{"GOMAXPROCS=1", "GOTRACEBACK=all"}
	with.Dir, with.Files, with.Output = dir, []*os.File{memory}, &out
	with.Limits = Limits{Processes: testProcesses, Signals: testProcesses, Files: testFiles, FileSize: 1 << 20, Data: 1 << 30, Addresses: 16 << 30}
	cmd, started, err := Command(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := started(cmd.Start()); err != nil {
		t.Fatal(err)
	}
	wait, want := cmd.Wait, ""
	if with.Ptrace {
		wait = func() error { return Wait(cmd) }
	}
	if told.Stop {
		want = "signal: killed"
	}
	if err := wait(); fmt.Sprint(err) != cmp.Or(want, "<nil>") {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	said := make(map[string]string)
	for line := range strings.Lines(out.String()) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), "\t")
		said[name] = result
	}
	return said
}

// prey is what an attacker is after.
func prey(t *testing.T) target {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the user's"), 0o644); err != nil { // also readable if its folder were
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "control.sock")
	abstract := fmt.Sprintf("@backplane-attack-%d", os.Getpid())
	for _, name := range []string{socket, abstract} {
		l, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	return target{Secret: secret, Socket: socket, Abstract: abstract, Parent: os.Getpid(), Limit: testProcesses, Files: testFiles}
}

// TestUnconfined looks for the walls that are left on a host that refuses mounts.
func TestUnconfined(t *testing.T) {
	said := run(t, prey(t), Program{Unconfined: true})
	held := []string{"execute what is there by execve", "trace a process", "make a namespace", "mount", "gain privileges",
		"make a socket of the Internet's", "leave a core dump", "take memory that no limit counts", "io_uring", "bpf"}
	if landlocked() {
		held = append(held, "read a file of the user's", "read the host's /etc/passwd", "write to the root folder", "execute a program of the host")
	} else {
		t.Log("this host's kernel has no Landlock: files are not looked at")
	}
	for _, name := range held {
		if !strings.HasPrefix(said[name], "held: ") {
			t.Errorf("%s: %q", name, said[name])
		}
	}
}

// landlocked tells whether the host's kernel has Landlock.
func landlocked() bool {
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return errno == 0
}

// TestAttacks has a program try to get out in all ways that docs/security.md lists.
func TestAttacks(t *testing.T) {
	told := prey(t)

	// Each attack that this user can make at all succeeds where there are no walls.
	for _, a := range attacks[:2] {
		if err := a.try(&told); err != nil {
			t.Errorf("without walls, %s: %v", a.name, err)
		}
	}

	for name, with := range map[string]Program{"": {}, "tracing its own": {Ptrace: true}, "its own files": {Ptrace: true, Temp: 64 << 10}} {
		t.Run(name, func(t *testing.T) { held(t, told, with) })
	}
}

// held has the walls of one program attacked.
func held(t *testing.T, told target, with Program) {
	said := run(t, told, with)
	docs, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks {
		if !strings.HasPrefix(said[a.name], "held: ") {
			t.Errorf("%s: %q (%s%s)", a.name, said[a.name], said["in its root"], said["descriptor"])
		}
		if !bytes.Contains(docs, []byte("| "+a.name+" |")) {
			t.Errorf("docs/security.md has no row %q", a.name)
		}
	}
	user := "0"
	if Drops() {
		user = fmt.Sprint(Nobody)
	}
	traced := "operation not permitted"
	if with.Ptrace {
		traced = "<nil>"
	}
	for name, want := range map[string]string{"traced": traced, "own file": `"mine" <nil>`, "folder": WorkDir + " <nil>", "own socket": "<nil>", "ids": user + " 1"} {
		if said[name] != want {
			t.Errorf("%s: %q instead of %q", name, said[name], want)
		}
	}
}

// TestStopsAsTraced has the first thread of a program make this test its tracer, and stop.
func TestStopsAsTraced(t *testing.T) {
	said := run(t, target{Stop: true}, Program{Ptrace: true})
	if _, on := said["goes on"]; on || said["stops"] != "<nil>" {
		t.Errorf("it said %q", said)
	}
}

// TestRefusals says what is wrong, and leaves nothing behind.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for name, p := range map[string]Program{
		"no such file":        {Path: "/no/kernel", Dir: dir},
		"is not a program":    {Path: "/etc/hostname", Dir: dir},
		"no such file or dir": {Path: "/bin/true", Dir: dir + "/gone"},
		"not UTF-8":           {Path: "/bin/true", Dir: dir + "/\xff"},
	} {
		cmd, started, err := Command(p)
		if err == nil {
			err = started(cmd.Start())
			_ = cmd.Wait()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if text := err.Error(); !strings.Contains(text, "no such file") && !strings.Contains(text, "/etc/hostname: EOF") && !strings.Contains(text, "not UTF-8 text") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEndsWithItsParent takes the parent away before the program is executed.
func TestEndsWithItsParent(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	saved, err := unix.Dup(gateFD)
	if err == nil {
		defer func() { _ = unix.Dup2(saved, gateFD); unix.Close(saved) }()
	} else {
		defer unix.Close(gateFD)
	}
	if err := unix.Dup2(int(r.Fd()), gateFD); err != nil {
		t.Fatal(err)
	}
	if gone() {
		t.Error("gone while the parent is there")
	}
	w.Close()
	if !gone() {
		t.Error("there although the parent has gone")
	}
}

// TestPossible asks for what the other tests use.
func TestPossible(t *testing.T) {
	if err := Possible(); err != nil {
		t.Error(err)
	}
	if err := namespaces(); err != nil {
		t.Error(err)
	}
	if err := try(spec{Root: "/no/folder"}); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a root that is not there: %v", err)
	}
}
