package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/boards/record"
	"backplane/guest/agent"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// plantBoards is how many boards a plant has.
const plantBoards = 12

// plant is an appliance that is kept up as `backplane up` does it, with its record and
// its control socket, in this program, whose memory and files can be counted then.
type plant struct {
	t       *testing.T
	r       *appliance.Running
	claim   *control.Claim
	server  *control.Server
	journal *journal
	name    string
	fifo    string
	out     string
	moving  chan error // what Advance ended with
	stop    context.CancelFunc
}

// plantFiles describes it: two segments, a ring of wires, serial links, chips, captures,
// and programs that talk.
func plantFiles(t *testing.T, dir string) (file string) {
	t.Helper()
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/load"))
	for _, applet := range []string{"yes", "timeout", "i2cget", "i2cset"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	talk := "#!/bin/sh\n" + `case $1 in
0) while usleep 50000; do echo tick $((n=n+1)); done ;;
1) while usleep 100000; do ping -c 1 -W 1 10.0.0.1 >/dev/null; done ;;
2) stty -F /dev/ttyS1 raw -echo; cat /dev/ttyS1 >/dev/null & while usleep 40000; do echo serial $((n=n+1)) >/dev/ttyS1; done ;;
3) while usleep 30000; do cat /sys/class/hwmon/hwmon0/temp1_input >/dev/null 2>&1; done ;;
esac
`
	write := func(path, text string, mode os.FileMode) {
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "talk"), talk, 0o755)
	var main strings.Builder
	main.WriteString("name = \"chaos\"\n")
	var ports [2][]string
	for i := range plantBoards {
		name := fmt.Sprintf("b%d", i)
		write(filepath.Join(dir, name+".toml"), fmt.Sprintf(`
name = %q
memory = "48M"
[firmware]
rootfs = [%q]
init = "/talk"
init_args = ["%d"]
args = "loglevel=4"
[[ethernet]]
name = "eth0"
address = "10.0.0.%d/24"
[[serial]]
name = "uart1"
device = "/dev/ttyS1"
[[gpio]]
name = "gpio0"
lines = ["in", "out", "key", "alert"]
  [[gpio.chip]]
  name = "button0"
  model = "button"
  pins = { out = "key" }
[[i2c]]
name = "i2c1"
number = 1
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  pins = { alert = "gpio0.alert" }
  [[i2c.chip]]
  name = "pwm0"
  model = "pca9685"
  address = 0x41
`, name, root, i%4, i+1), 0o644)
		fmt.Fprintf(&main, "[[board]]\nfile = %q\n", name+".toml")
		ports[i*2/plantBoards] = append(ports[i*2/plantBoards], fmt.Sprintf("%q", name+".eth0"))
	}
	for i := range plantBoards {
		fmt.Fprintf(&main, "[[wire]]\nname = \"w%d\"\nfrom = \"b%d.gpio0.out\"\nto = \"b%d.gpio0.in\"\ndelay = \"1ms\"\n", i, i, (i+1)%plantBoards)
	}
	for i := 0; i < plantBoards; i += 2 {
		fmt.Fprintf(&main, "[[serial]]\nname = \"s%d\"\nports = [\"b%d.uart1\", \"b%d.uart1\"]\n", i, i, i+1)
	}
	for i, p := range ports {
		fmt.Fprintf(&main, "[[segment]]\nname = \"lan%d\"\nlatency = \"1ms\"\nports = [%s]\n", i, strings.Join(p, ", "))
	}
	main.WriteString("[[capture]]\nname = \"all\"\nat = [\"lan0\", \"lan1:b7.eth0\"]\n[[capture]]\nname = \"live\"\nat = [\"lan0\", \"lan1\"]\nfifo = \"live.fifo\"\n")
	file = filepath.Join(dir, "main.toml")
	write(file, main.String(), 0o644)
	return file
}

// newPlant starts one. Its run folder, sockets and files are below TMPDIR and
// XDG_RUNTIME_DIR, which the caller has set.
func newPlant(t *testing.T, file string, o guesttest.Options, out string) *plant {
	t.Helper()
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	p := &plant{t: t, name: a.Name, journal: newJournal(), moving: make(chan error, 1), out: out, fifo: filepath.Join(filepath.Dir(file), "live.fifo")}
	if p.claim, err = control.NewClaim(a.Name); err != nil {
		t.Fatal(err)
	}
	init := guesttest.Init(t)
	news := func(e *simbus.Event) {
		p.journal.event(e)
		if p.server != nil { // no event comes before Advance but those of Start
			p.server.Event(e)
		}
	}
	p.r, err = appliance.Start(context.Background(), a, appliance.Options{
		Virtual: !o.Real, Paced: true, Seed: o.Seed, Start: guesttest.Start, Init: init, StallLimit: o.StallLimit, Out: out,
		Kernel: func(_ context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error) {
			return guesttest.Kernel(t, virtual, want), nil
		},
		Events: []func(*simbus.Event){func(e *simbus.Event) { p.journal.listen(e, news) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.journal.mu.Lock()
	p.server, err = p.claim.Listen(plantApp{p.r, p.journal}, nil)
	p.journal.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go func() {
		_, err := p.r.Advance(ctx, simbus.Never, nil)
		if ctx.Err() != nil {
			err = nil
		}
		p.moving <- err
	}()
	t.Cleanup(func() {
		_ = p.close()
		if t.Failed() {
			t.Logf("how boards fared at last:\n%s", p.journal.fate())
		}
	})
	return p
}

// close ends it in order.
func (p *plant) close() error {
	if p.r == nil {
		return nil
	}
	p.stop()
	err := <-p.moving
	p.r.ShutDown(context.Background(), time.Now())
	p.server.Stop()
	err = errors.Join(err, p.r.Close())
	p.server.Finish(err)
	p.claim.Release()
	p.r, p.server = nil, nil // with all that they keep
	return err
}

// plantApp is what the control socket's server lets clients do. It counts jobs.
type plantApp struct {
	*appliance.Running
	journal *journal
}

func (a plantApp) Start(j record.Job, o agent.Output) (control.Program, error) {
	a.journal.jobs.Add(1)
	p, err := a.Running.Start(j, o)
	if err != nil {
		a.journal.jobs.Add(-1)
		return nil, err
	}
	return p, nil
}
