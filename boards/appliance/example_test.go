package appliance_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/simbus"
)

// A board runs, in virtual time, until its program has said what it reads. The kernel is
// played here: without Boot it is a real one, which Kernel finds or builds (kernel.Builder).
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "sensor.toml")
	text := `name = "sensor"
memory = "32M"
[firmware]
rootfs = []
[[i2c]]
name = "i2c0"
  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  temperature = 21.5
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		fmt.Println(err)
		return
	}
	kernels := guesttest.New(nil)
	kernels.Programs["read"] = func(p *guesttest.Program) int {
		b := p.ReadRegister("i2c0", 0x48, 0, 2)
		p.Print("%d sixteenths of a degree", int(b[0])<<4|int(b[1])>>4)
		return 0
	}
	r, err := appliance.Start(context.Background(), a, appliance.Options{
		Virtual: true,
		Start:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Init:    file, // else bin/init, which every board needs
		Kernel: func(context.Context, bool, kernel.Recipe) (kernel.Image, error) {
			return kernel.Image{Facts: kernel.Facts{Version: kernel.Series, Seccomp: true, Shared: true}}, nil
		},
		Boot: kernels.Start,
		Events: []func(*simbus.Event){func(e *simbus.Event) {
			if e.Kind == "guest" || e.Kind == "console" || e.Kind == appliance.KindExec {
				fmt.Printf("%s\n", e.AppendJSON(nil))
			}
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	until := func(stop func(e *simbus.Event) bool) {
		if _, err := r.Advance(context.Background(), r.Now().Add(time.Minute), stop); err != nil {
			fmt.Println(err)
		}
	}
	until(func(e *simbus.Event) bool { s, _ := e.Get("state"); return s == appliance.StateUp })
	if err := r.Set("sensor.temp0.temperature", "30"); err != nil {
		fmt.Println(err)
	}
	until(nil) // a minute
	if _, err := r.Exec("sensor", []string{"read"}, nil, nil, nil, func(int, error) {}); err != nil {
		fmt.Println(err)
	}
	until(func(e *simbus.Event) bool { return e.Kind == appliance.KindExec })
	if err := r.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"t":0,"board":"sensor","kind":"guest","state":"on"}
	// {"t":0,"board":"sensor","kind":"guest","state":"hello"}
	// {"t":60001490000,"board":"sensor","part":"console","kind":"console","line":"480 sixteenths of a degree"}
	// {"t":60001490000,"board":"sensor","kind":"exec","command":"read","status":0}
	// {"t":60002000000,"board":"sensor","kind":"guest","state":"off","detail":"plug pulled"}
}
