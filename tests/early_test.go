package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/simbus"
	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// TestEarlyPanic has a kernel panic before it has its console: what it says stands
// there all the same, and the board has panicked, at once.
func TestEarlyPanic(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		file := filepath.Join(t.TempDir(), "b.toml")
		// The last mem= counts: too little for the root file system.
		if err := os.WriteFile(file, []byte("name = \"b\"\nmemory = \"64M\"\n[firmware]\nargs = \"mem=18M\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := boards.Load(file, catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		app := guesttest.StartAppliance(t, a, o)
		var state, detail, console string
		if _, err := app.Advance(context.Background(), simbus.Time(time.Minute), func(e *simbus.Event) bool {
			switch e.Kind {
			case appliance.KindGuest:
				state, _ = e.Get("state")
				detail, _ = e.Get("detail")
			case appliance.KindConsole:
				line, _ := e.Get("line")
				console += line + "\n"
			}
			return state == appliance.StatePanic || state == appliance.StateLost || state == appliance.StateStuck
		}); err != nil {
			t.Fatal(err)
		}
		if state != appliance.StatePanic || !strings.HasPrefix(detail, "Kernel panic - not syncing: ") {
			t.Errorf("the board's state is %q (%s), want that it panicked", state, detail)
		}
		if !strings.Contains(console, "] Linux version ") || !strings.Contains(console, "] Kernel panic - not syncing: ") {
			t.Errorf("the console shows\n%s", console)
		}
	})
}

// TestFirstMessages has the console show what the kernel said from its beginning, each
// message once.
func TestFirstMessages(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": "name = \"b\"\n"}, o)
		first, command := "", 0
		for _, e := range app.Events() {
			line, _ := e.Get("line")
			if e.Kind != appliance.KindConsole {
				continue
			}
			if first == "" {
				first = line
			}
			if strings.Contains(line, "] Kernel command line: ") {
				command++
			}
		}
		if !strings.Contains(first, "] Linux version ") || command != 1 {
			t.Errorf("the console begins with %q, and shows the kernel's command line %d times", first, command)
		}
	})
}

// TestPanicAsInit has a kernel panic as the first process of a PID namespace, which its own
// SIGABRT does not kill: it ends nevertheless. Boards run so (guest/confine).
func TestPanicAsInit(t *testing.T) {
	for _, virtual := range []bool{true, false} {
		image, err := (&kernel.Builder{Flavour: kernel.For(virtual)}).Build(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, image.Path, "mem=64M", "con=none", "con0=null,fd:1", "console=tty0", "root=nowhere")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			t.Errorf("%s does not end after its panic", filepath.Base(filepath.Dir(image.Path)))
		}
		if err == nil || !strings.Contains(string(out), "Kernel panic - not syncing: VFS") {
			t.Errorf("it ends with %v and says\n%s", err, out)
		}
	}
}
