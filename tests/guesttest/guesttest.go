// Package guesttest runs appliances with real kernels in tests: it builds the
// board's init, puts real programs of this machine into root file systems, and
// waits for events instead of clocks.
package guesttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/emulator"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/scenarios"
	"backplane/simbus"

	"go.uber.org/zap"
)

// Start is the wall-clock time at which appliances in virtual time begin.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Options of an appliance in a test.
type Options struct {
	Real bool // the clock: virtual if not set
	Seed uint64
	Out  string
	// StallLimit and Unconfined are those of appliance.Options.
	StallLimit time.Duration
	Unconfined bool
	// Image changes what kernels are taken for.
	Image func(*kernel.Image)
	// Events are told of each event, beside the App.
	Events []func(*simbus.Event)
	// Log is that of appliance.Options.
	Log *zap.Logger
}

// App is a running appliance.
type App struct {
	*appliance.Running
	t testing.TB

	mu     sync.Mutex
	events []simbus.Event
	seen   int // by Until
}

// Run writes the files into a folder and starts the one called main.toml.
// Everything is gone when the test ends.
func Run(t testing.TB, files map[string]string, o Options) *App {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return RunFile(t, filepath.Join(dir, "main.toml"), o)
}

// RunFile starts the board or appliance of a file, and waits until all boards are up.
func RunFile(t testing.TB, file string, o Options) *App {
	t.Helper()
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	app := StartAppliance(t, a, o)
	up := 0
	for _, b := range a.Board {
		if !b.Off && !b.Unplugged {
			up++
		}
	}
	for range up {
		app.Until(time.Minute, "a board's hello", func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			if state == appliance.StatePanic || state == appliance.StateLost {
				t.Fatalf("a board did not come up: %s", e.AppendJSON(nil))
			}
			return e.Kind == appliance.KindGuest && state == appliance.StateUp
		})
	}
	return app
}

// StartAppliance starts an appliance and does not wait.
func StartAppliance(t testing.TB, a *boards.Appliance, o Options) *App {
	t.Helper()
	app := &App{t: t}
	r, err := appliance.Start(context.Background(), a, appliance.Options{
		Virtual: !o.Real, Seed: o.Seed, Start: Start, Out: o.Out, Init: Init(t), StallLimit: o.StallLimit, Unconfined: o.Unconfined,
		Kernel: func(_ context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error) {
			image := Kernel(t, virtual, want)
			if o.Image != nil {
				o.Image(&image)
			}
			return image, nil
		},
		Emulators: func(ctx context.Context) (string, error) { return new(emulator.Builder).Build(ctx) },
		Events:    append([]func(*simbus.Event){app.event}, o.Events...), Log: o.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	app.Running = r
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			app.dump()
		}
	})
	return app
}

var kinds = scenarios.EventKinds(catalog.All)

// event takes an event, which must be as its kind is described.
func (a *App) event(e *simbus.Event) {
	if kind, ok := simbus.FindKind(kinds, e.Kind); !ok {
		a.t.Errorf("no kind of event is described as %s", e.AppendJSON(nil))
	} else if err := kind.Check(e); err != nil {
		a.t.Errorf("the event %s: %v", e.AppendJSON(nil), err)
	}
	a.mu.Lock()
	a.events = append(a.events, *e)
	a.mu.Unlock()
}

// Events are all so far.
func (a *App) Events() []simbus.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]simbus.Event(nil), a.events...)
}

func (a *App) dump() {
	events := a.Events()
	for i := range events[max(0, len(events)-40):] {
		a.t.Logf("%s", events[max(0, len(events)-40)+i].AppendJSON(nil))
	}
}

// Until lets time pass until match is true for an event that no earlier Until
// has looked at, at most for limit of the appliance's time.
func (a *App) Until(limit time.Duration, what string, match func(*simbus.Event) bool) simbus.Event {
	a.t.Helper()
	until := a.Now().Add(limit)
	for {
		if e, ok := a.look(match); ok {
			return e
		}
		if a.Now() >= until {
			a.t.Fatalf("%s did not happen within %s", what, limit)
		}
		if _, err := a.Advance(context.Background(), until, func(e *simbus.Event) bool { return true }); err != nil {
			a.t.Fatalf("while waiting for %s: %v", what, err)
		}
	}
}

func (a *App) look(match func(*simbus.Event) bool) (simbus.Event, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.seen < len(a.events) {
		e := a.events[a.seen]
		a.seen++
		if match(&e) {
			return e, true
		}
	}
	return simbus.Event{}, false
}

// Sleep lets time pass.
func (a *App) Sleep(d time.Duration) {
	a.t.Helper()
	if _, err := a.Advance(context.Background(), a.Now().Add(d), nil); err != nil {
		a.t.Fatal(err)
	}
}

// Console waits for a line on a console: "board" or "board.uart1".
func (a *App) Console(where, pattern string, limit time.Duration) string {
	a.t.Helper()
	board, part, ok := strings.Cut(where, ".")
	if !ok {
		part = boards.MainConsole
	}
	re := regexp.MustCompile(pattern)
	e := a.Until(limit, fmt.Sprintf("a line on %s that matches %q", where, pattern), func(e *simbus.Event) bool {
		line, _ := e.Get("line")
		return e.Kind == appliance.KindConsole && e.Board == board && e.Part == part && re.MatchString(line)
	})
	line, _ := e.Get("line")
	return line
}

// Result is how a command in a guest ended.
type Result struct {
	Stdout, Stderr string
	Status         int
}

// Command is a command that runs in a guest.
type Command struct {
	app            *App
	name           string
	stdout, stderr bytes.Buffer
	status         int
	err            error
	done           chan struct{}
}

// StartCommand starts a command on a board.
func (a *App) StartCommand(board string, args ...string) *Command {
	a.t.Helper()
	c := &Command{app: a, name: strings.Join(args, " "), done: make(chan struct{})}
	_, err := a.Exec(board, args, nil, func(p []byte) { c.stdout.Write(p) }, func(p []byte) { c.stderr.Write(p) },
		func(status int, err error) { c.status, c.err = status, err; close(c.done) })
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// Name is the command's line.
func (c *Command) Name() string { return c.name }

// Wait lets time pass until the command has ended.
func (c *Command) Wait() Result {
	c.app.t.Helper()
	until := c.app.Now().Add(commandLimit)
	for {
		select {
		case <-c.done:
			if c.err != nil {
				c.app.t.Fatalf("%s: %v", c.name, c.err)
			}
			return Result{c.stdout.String(), c.stderr.String(), c.status}
		default:
		}
		if c.app.Now() >= until {
			c.app.t.Fatalf("%s: did not end within %s", c.name, commandLimit)
		}
		if _, err := c.app.Advance(context.Background(), until, func(e *simbus.Event) bool { return e.Kind == appliance.KindExec }); err != nil {
			c.app.t.Fatalf("%s: %v", c.name, err)
		}
	}
}

// commandLimit is how long a command may run, in the appliance's time.
const commandLimit = 5 * time.Minute

// Do runs a command on a board. A status other than 0 ends the test.
func (a *App) Do(board string, args ...string) string {
	a.t.Helper()
	r := a.StartCommand(board, args...).Wait()
	if r.Status != 0 {
		a.t.Fatalf("%s on %s ended with status %d\n%s%s", strings.Join(args, " "), board, r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Sh is Do for a line of shell.
func (a *App) Sh(board, script string) string {
	a.t.Helper()
	return a.Do(board, "/bin/sh", "-c", script)
}

// MustSet is Set.
func (a *App) MustSet(path, value string) {
	a.t.Helper()
	if err := a.Set(path, value); err != nil {
		a.t.Fatal(err)
	}
}

// MustGet is Get without the unit.
func (a *App) MustGet(path string) string {
	a.t.Helper()
	v, _, err := a.Get(path)
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

// Rootfs makes a root file system with busybox and programs of this machine,
// each with the libraries that it needs.
func Rootfs(t testing.TB, programs ...string) string {
	t.Helper()
	root := t.TempDir()
	install(t, root, "/bin/busybox")
	for _, applet := range strings.Fields(`sh cat echo ls grep sleep mount umount ip ping dd seq head tail date
		true false test kill ps dmesg printf od hexdump wc cut mkdir rm touch sync md5sum env id stty reboot poweroff
		usleep nc find tr sed awk sort uniq mknod insmod vi getty free uname hostname`) {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range programs {
		path, err := exec.LookPath(p)
		if err != nil {
			for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
				if _, e := os.Stat(filepath.Join(dir, p)); e == nil {
					path, err = filepath.Join(dir, p), nil
				}
			}
		}
		if err != nil {
			t.Fatalf("%v: tools/packages installs what the tests need", err)
		}
		install(t, root, path)
	}
	return root
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// install copies a program and its libraries.
func install(t testing.TB, root, path string) {
	t.Helper()
	files := []string{path}
	// A static program has none: ldd says so by its status.
	if out, err := exec.Command("ldd", path).Output(); err == nil {
		for _, m := range library.FindAllStringSubmatch(string(out), -1) {
			files = append(files, m[1])
		}
	}
	for _, f := range files {
		to := filepath.Join(root, f)
		if strings.HasPrefix(f, os.TempDir()) { // a test's own program
			to = filepath.Join(root, "usr/bin", filepath.Base(f))
		}
		if _, err := os.Stat(to); err == nil {
			continue
		}
		data, err := os.ReadFile(f)
		if err == nil {
			if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
				err = os.WriteFile(to, data, 0o755)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// AddDir copies a folder of data into a root file system.
func AddDir(t testing.TB, root, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(dir)); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
}

var built sync.Map

// Program builds a static Go program of this module, once, and returns its path.
func Program(t testing.TB, pkg string) string {
	t.Helper()
	return ProgramFor(t, pkg, runtime.GOARCH)
}

// ProgramFor is Program for another architecture, by Go's name.
func ProgramFor(t testing.TB, pkg, arch string) string {
	t.Helper()
	build := sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "backplane-test-")
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		return path, nil
	})
	f, _ := built.LoadOrStore(pkg+" "+arch, build)
	path, err := f.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Init is the boards' init.
func Init(t testing.TB) string { return Program(t, "backplane/firmware/init") }

// Clean removes the programs that were built: for TestMain.
func Clean() {
	built.Range(func(_, f any) bool {
		if path, err := f.(func() (string, error))(); err == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		return true
	})
}
