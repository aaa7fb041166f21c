// Package bench measures what docs/benchmarks.md says: how fast boards boot,
// talk to their parts and to each other, and what the same costs a peer on the
// same machine in the same minute.
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/simbus"
)

// Options say what a benchmark needs.
type Options struct {
	Kernel func(ctx context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error)
	Init   string   // the boards' init
	Load   string   // the program that keeps parts busy (tests/programs/load)
	Pulse  string   // the program that wakes boards up (tests/programs/pulse)
	Usfstl string   // control/controller of linux-test-project/usfstl, built; empty to do without
	UBD    bool     // measure disks also beside User Mode Linux's own, for which a kernel is built
	Memory []int64  // how much memory boards have whose boot is measured, in GiB; [MemorySizes] if empty
	Parts  []string // what to measure, of [Parts]; everything if empty
	Out    io.Writer
}

// bench is one run of all benchmarks.
type bench struct {
	Options
	ctx   context.Context
	dir   string
	root  string // root file system with load, iperf3 and ping
	small string // root file system with pulse
}

var parts = []struct {
	name    string
	measure func(*bench) error
}{
	{"boot", (*bench).boot},
	{"memory", (*bench).memory},
	{"parts", (*bench).parts},
	{"calls", (*bench).calls},
	{"clock", (*bench).clock},
	{"links", (*bench).links},
	{"network", (*bench).network},
	{"disk", (*bench).disk},
	{"scale", (*bench).scale},
}

// Parts names what can be measured.
func Parts() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// Run measures and prints a table as it goes.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "backplane-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{Options: o, ctx: ctx, dir: dir}
	if err := b.makeRoots(); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, rowFormat, "WHAT", "HERE", "PEER", "RATIO", "AIM")
	for _, p := range parts {
		if len(o.Parts) > 0 && !slices.Contains(o.Parts, p.name) {
			continue
		}
		if err := p.measure(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// bootLimit is how long boards may take until they are up, of the appliance's time. A TiB takes minutes on a slow machine.
const bootLimit = 10 * time.Minute

// start runs an appliance of n equal boards and waits until all are up.
func (b *bench) start(virtual bool, n int, board, links string) (*appliance.Running, error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return nil, err
	}
	text := "name = \"bench\"\n"
	for i := range n {
		name := fmt.Sprintf("b%d", i)
		file := name + ".toml"
		if !strings.Contains(board, "ADDRESS") { // all are alike
			file = "b.toml"
		}
		text += fmt.Sprintf("[[board]]\nname = %q\nfile = %q\n", name, file)
		own := fmt.Sprintf("name = %q\n", name) + strings.ReplaceAll(board, "ADDRESS", fmt.Sprintf("10.0.0.%d/24", i+1))
		if err := os.WriteFile(filepath.Join(dir, file), []byte(own), 0o644); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, "appliance.toml")
	if err := os.WriteFile(file, []byte(text+links), 0o644); err != nil {
		return nil, err
	}
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		return nil, err
	}
	r, err := appliance.Start(b.ctx, a, appliance.Options{Virtual: virtual, Seed: 1, Start: time.Unix(1767225600, 0), Init: b.Init, Kernel: b.Kernel})
	if err != nil {
		return nil, err
	}
	for limit := r.Now().Add(bootLimit); ; {
		up := 0
		for _, name := range r.Boards() {
			state, err := r.State(name)
			if err != nil || state != appliance.StateUp && state != appliance.StateBooting || r.Now() >= limit {
				r.Close()
				return nil, fmt.Errorf("board %s did not come up: %s, %v", name, state, err)
			}
			if state == appliance.StateUp {
				up++
			}
		}
		if up == n {
			return r, nil
		}
		if _, err = r.Advance(b.ctx, limit, func(e *simbus.Event) bool { return e.Kind == appliance.KindGuest }); err != nil {
			r.Close()
			return nil, err
		}
	}
}

// command starts a program; the returned function waits for its end.
func (b *bench) command(r *appliance.Running, board string, args ...string) (wait func() (string, error), err error) {
	var out []byte
	ended, status := false, 0
	var failure error
	if _, err = r.Exec(board, args, nil, func(p []byte) { out = append(out, p...) }, func(p []byte) { out = append(out, p...) },
		func(s int, err error) { ended, status, failure = true, s, err }); err != nil {
		return nil, err
	}
	return func() (string, error) {
		limit := r.Now().Add(10 * time.Minute)
		for !ended && r.Now() < limit {
			if _, err := r.Advance(b.ctx, limit, func(e *simbus.Event) bool { return e.Kind == appliance.KindExec && e.Board == board }); err != nil {
				return "", err
			}
		}
		if failure == nil && status != 0 {
			failure = fmt.Errorf("%s ended with status %d: %s", strings.Join(args, " "), status, out)
		}
		return string(out), failure
	}, nil
}

// boot measures the time from Start to the agent's hello.
func (b *bench) boot() error {
	for _, virtual := range []bool{true, false} {
		var times []float64
		for range 11 {
			begin := time.Now()
			r, err := b.start(virtual, 1, "memory = \"64M\"\n", "")
			if err != nil {
				return err
			}
			times = append(times, time.Since(begin).Seconds())
			if err := r.Close(); err != nil {
				return err
			}
		}
		b.row("boot of a 64 MiB board, "+clockName(virtual), median(times), 0, "s")
	}
	return b.walls()
}

func clockName(virtual bool) string {
	if virtual {
		return "virtual"
	}
	return "real"
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

// parts measures I2C transfers and GPIO changes by a guest program.
func (b *bench) parts() error {
	const count = 10000
	board := fmt.Sprintf(`
[firmware]
rootfs = [%q]
args = "loglevel=4"
[[gpio]]
name = "gpio0"
lines = ["a"]
[[i2c]]
name = "i2c1"
number = 1
frequency = 0 # what it takes the host, not the bus
chip = [{ name = "temp0", model = "tmp102", address = 0x48 }]
`, b.root)
	for _, virtual := range []bool{true, false} {
		r, err := b.start(virtual, 1, board, "")
		if err != nil {
			return err
		}
		for _, l := range []struct {
			what string
			args []string
		}{
			{"I2C register read, %s, beside the transport's limit", []string{"load", "i2c", "1", "0x48", fmt.Sprint(count)}},
			{"GPIO change, %s, beside the transport's limit", []string{"load", "gpio", "/dev/gpiochip0", "0", fmt.Sprint(count)}},
		} {
			limit, err := b.limit(virtual)
			if err != nil {
				r.Close()
				return err
			}
			begin := time.Now()
			wait, err := b.command(r, "b0", l.args...)
			if err == nil {
				_, err = wait()
			}
			if err != nil {
				r.Close()
				return err
			}
			took := float64(time.Since(begin).Microseconds()) / count
			b.compare(fmt.Sprintf(l.what, clockName(virtual)), took, limit, "us", atMost(2))
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}
