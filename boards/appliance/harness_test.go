package appliance_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/simbus"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Kinds of events, as users have them.
const (
	kindGuest   = "guest"
	kindConsole = "console"
	kindLevel   = "gpio"
	kindUARTTx  = "uart.tx"
)

// rig is a running appliance without a kernel: guesttest plays those.
type rig struct {
	*appliance.Running
	t *testing.T

	mu     sync.Mutex
	events []simbus.Event
	notes  []string
	seen   int // by until
}

// oneBoard is a board with something of all that the outside deals with.
const oneBoard = `name = "b"
memory = "36M"
[firmware]
rootfs = []
[[gpio]]
name = "gpio0"
lines = ["in", "out", "button"]
  [[gpio.chip]]
  name = "button0"
  model = "button"
  pins = { out = "button" }
[[i2c]]
name = "i2c0"
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
[[serial]]
name = "uart1"
baud = 115200
[[console]]
name = "debug"
[[ethernet]]
name = "eth0"
`

// files are those of a test; main.toml is what runs.
type files map[string]string

// start starts an appliance, which is closed when the test ends.
func start(t *testing.T, ks *guesttest.Kernels, f files, o appliance.Options) *rig {
	t.Helper()
	r, err := tryStart(t, ks, f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for i := max(0, len(r.events)-40); t.Failed() && i < len(r.events); i++ {
			t.Logf("%s", r.events[i].AppendJSON(nil))
		}
	})
	return r
}

func tryStart(t *testing.T, ks *guesttest.Kernels, f files, o appliance.Options) (*rig, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	o.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o.Init, o.Boot = filepath.Join(dir, "main.toml"), ks.Start // nobody executes it
	o.Kernel = func(context.Context, bool, kernel.Recipe) (kernel.Image, error) {
		return kernel.Image{Path: o.Init, Facts: kernel.Facts{Version: kernel.Series, SMP: true, Seccomp: true, Shared: true}}, nil
	}
	o.Events = append(o.Events, func(e *simbus.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, *e)
	})
	o.Note = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notes = append(r.notes, text)
	}
	r.Running, err = appliance.Start(context.Background(), a, o)
	return r, err
}

// clocks runs a test in both clocks.
func clocks(t *testing.T, f func(t *testing.T, o appliance.Options)) {
	for name, virtual := range map[string]bool{"virtual": true, "real": false} {
		t.Run(name, func(t *testing.T) { f(t, appliance.Options{Virtual: virtual}) })
	}
}

// patience is how long something may take, in the appliance's time. In real time nothing
// takes long that happens at all.
const patience = 30 * time.Second

// until lets time pass until match is true for an event that no earlier until has looked at.
func (r *rig) until(what string, match func(*simbus.Event) bool) simbus.Event {
	r.t.Helper()
	for limit := r.Now().Add(patience); ; {
		if e, ok := r.look(match); ok {
			return e
		}
		if r.Now() >= limit {
			r.t.Fatalf("%s did not happen within %s", what, patience)
		}
		if _, err := r.Advance(context.Background(), limit, func(*simbus.Event) bool { return true }); err != nil {
			r.t.Fatalf("while waiting for %s: %v", what, err)
		}
	}
}

func (r *rig) look(match func(*simbus.Event) bool) (simbus.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.seen < len(r.events) {
		r.seen++
		if e := r.events[r.seen-1]; match(&e) {
			return e, true
		}
	}
	return simbus.Event{}, false
}

// state waits for a board's next state, and that it is this one. It returns the detail.
func (r *rig) state(board, want string) (detail string, at simbus.Time) {
	r.t.Helper()
	e := r.until(board+" is "+want, func(e *simbus.Event) bool { return e.Kind == kindGuest && e.Board == board })
	state, _ := e.Get("state")
	if detail, _ = e.Get("detail"); state != want {
		r.t.Fatalf("board %s is %q (%s), want %q", board, state, detail, want)
	}
	return detail, e.Time
}

// up waits until boards are up, in whatever order.
func (r *rig) up(names ...string) {
	r.t.Helper()
	for left := slices.Clone(names); len(left) > 0; {
		r.until(fmt.Sprintf("%q are up", left), func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			i := slices.Index(left, e.Board)
			if e.Kind != kindGuest || state != appliance.StateUp || i < 0 {
				return false
			}
			left = slices.Delete(left, i, i+1)
			return true
		})
	}
}

// line waits for a line on a console.
func (r *rig) line(board, part, want string) simbus.Event {
	r.t.Helper()
	return r.until(want+" on "+board+"."+part, func(e *simbus.Event) bool {
		line, _ := e.Get("line")
		return e.Kind == kindConsole && e.Board == board && e.Part == part && line == want
	})
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	if _, err := r.Advance(context.Background(), r.Now().Add(d), nil); err != nil {
		r.t.Fatal(err)
	}
}

// must is for what is done to an appliance.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// value is a property's.
func (r *rig) value(path string) string {
	r.t.Helper()
	v, _, err := r.Get(path)
	r.must(err)
	return v
}

// exec begins a program.
func (r *rig) exec(board string, args ...string) {
	r.t.Helper()
	_, err := r.Exec(board, args, nil, nil, nil, func(int, error) {})
	r.must(err)
}

// all are all events so far.
func (r *rig) all() []simbus.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}
