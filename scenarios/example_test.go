package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/scenarios"
)

// A scenario is read, checked against its appliance, and played on it. The kernel is played
// here: without Boot it is a real one.
func ExamplePlay() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"door.toml": `name = "door"
memory = "32M"
[firmware]
rootfs = []
[[gpio]]
name = "gpio0"
lines = ["bell", "bolt"]
`, "ring.toml": `name = "ring"
appliance = "door.toml"
[[step]]
set = { "door.gpio0.bell" = 1 }
[[step]]
expect = { line = "door.gpio0.bolt", level = 1, within = "1s" }
[[step]]
power_off = "door"
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			fmt.Println(err)
			return
		}
	}
	s, err := scenarios.Load(filepath.Join(dir, "ring.toml"))
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := boards.Load(s.AppliancePath(), catalog.All)
	if err == nil {
		err = s.Check(a)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	kernels := guesttest.New(nil)
	kernels.Boot = func(k *guesttest.Kernel) {
		k.Arm("gpio0", 0) // the bell
		k.Up()
		k.Edge("gpio0", 0)
		k.Drive("gpio0", 1, 1)
	}
	report, err := scenarios.Play(context.Background(), s, a, appliance.Options{
		Virtual: true,
		Start:   scenarios.DefaultStart,
		Init:    s.File(), // else bin/init, which every board needs
		Kernel: func(context.Context, bool, kernel.Recipe) (kernel.Image, error) {
			return kernel.Image{Facts: kernel.Facts{Version: kernel.Series, Seccomp: true, Shared: true}}, nil
		},
		Boot: kernels.Start,
	}, scenarios.Options{OnStep: func(r scenarios.StepResult) { fmt.Println(r.Step, r.Name, r.Result) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Result)
	// Output:
	// 0 the boards come up passed
	// 1 set door.gpio0.bell = 1 passed
	// 2 expect door.gpio0.bolt at level 1 passed
	// 3 power door off passed
	// passed
}
