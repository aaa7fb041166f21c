package appliance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// TestPanic: a kernel that panics spins until it is ended, with its message, and the board
// stays as it is until it is reset.
func TestPanic(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		t.Parallel()
		ks := guesttest.New(t)
		ks.Programs["panic"] = func(p *guesttest.Program) int {
			p.Kernel.Write("console", []byte("half a line "))
			p.Panic("no idea")
			return 0
		}
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		r.exec("b", "panic")
		if detail, _ := r.state("b", appliance.StatePanic); detail != "Kernel panic - not syncing: no idea" {
			t.Errorf("it panicked: %s", detail)
		}
		if err := r.PowerOff("b"); err == nil {
			t.Error("a board without a kernel takes the time to shut down")
		}
		r.must(r.PowerOn("b"))
		r.up("b")
	})
}

// TestPanicBeforeTheConsole: what the kernel could say on the host's side only is on the
// console in the end.
func TestPanicBeforeTheConsole(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		t.Parallel()
		ks := guesttest.New(t)
		ks.Boot = func(k *guesttest.Kernel) { k.PanicEarly("no memory") }
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.state("b", appliance.StateBooting)
		if detail, _ := r.state("b", appliance.StatePanic); detail != "Kernel panic - not syncing: no memory" {
			t.Errorf("it panicked: %s", detail)
		}
		r.seen = 0
		r.until("its line on the console", func(e *simbus.Event) bool {
			line, _ := e.Get("line")
			return e.Kind == kindConsole && strings.HasSuffix(line, "no memory")
		})
		r.seen = len(r.all())
		r.must(r.PullPlug("b")) // it has power still
		r.state("b", appliance.StateOff)
	})
}

// TestLost has kernels end as they should not.
func TestLost(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Boot = func(k *guesttest.Kernel) {
			k.Print("the last")
			k.Die(errors.New("exit status 3"))
		}
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.state("b", appliance.StateBooting)
		if detail, _ := r.state("b", appliance.StateLost); detail != `the kernel ended: exit status 3; the last line on the console: "the last"` {
			t.Errorf("it is lost: %s", detail)
		}
		r.must(r.PullPlug("b")) // it has power still
		r.state("b", appliance.StateOff)
	})
}

// TestStuck: a board that says nothing for long is told of, and goes on.
func TestStuck(t *testing.T) {
	ks := guesttest.New(t)
	ks.Boot = func(k *guesttest.Kernel) {
		k.Print("mounting")
		k.Sleep(appliance.HelloLimit + time.Second)
		k.Fail("eth0: no address")
		k.Up()
	}
	r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
	_, on := r.state("b", appliance.StateBooting)
	r.pass(patience + time.Second)
	detail, at := r.state("b", appliance.StateStuck)
	if !strings.Contains(detail, `"mounting"`) || at.Sub(on) != appliance.HelloLimit {
		t.Errorf("it is stuck after %s: %s", at.Sub(on), detail)
	}
	if detail, _ := r.state("b", appliance.StateIncomplete); detail != "eth0: no address" {
		t.Errorf("it is incomplete: %s", detail)
	}
	if _, at := r.state("b", appliance.StateUp); at.Sub(on) != appliance.HelloLimit+time.Second {
		t.Errorf("it is up after %s", at.Sub(on))
	}
}

// TestKernelThatCannotStart: nothing is left of the start, the board is off, and can be
// switched on when the reason has gone.
func TestKernelThatCannotStart(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		refuse := errors.New("no memory")
		ks.Refuse = func(guest.Config) error { return refuse }
		if r, err := tryStart(t, ks, files{"main.toml": oneBoard}, o); !errors.Is(err, refuse) {
			_ = r.Close()
			t.Fatalf("error %v", err)
		}
		refuse = nil
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		r.must(r.PullPlug("b"))
		r.state("b", appliance.StateOff)
		refuse = errors.New("no memory")
		for range 2 {
			if err := r.PowerOn("b"); !errors.Is(err, refuse) {
				t.Fatalf("error %v", err)
			}
			if s, _ := r.State("b"); s != appliance.StateOff {
				t.Errorf("it is %q", s)
			}
			if r.value("b.gpio0.button") == "1" {
				t.Error("its parts have power")
			}
		}
		refuse = nil
		r.must(r.PowerOn("b"))
		r.up("b")
	})
}

// TestRestartThatCannotBe: the board is lost, says why, and has power until its plug is pulled.
func TestRestartThatCannotBe(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Refuse = func(guest.Config) error {
			if len(ks.Starts()) == 2 {
				return errors.New("no memory")
			}
			return nil
		}
		ks.Programs["reboot"] = func(p *guesttest.Program) int { p.Restart(); return 0 }
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		r.exec("b", "reboot")
		r.state("b", appliance.StateOff)
		if detail, _ := r.state("b", appliance.StateLost); !strings.Contains(detail, "no memory") {
			t.Errorf("it is lost: %s", detail)
		}
		r.must(r.PullPlug("b"))
		r.state("b", appliance.StateOff)
		r.must(r.PowerOn("b"))
		r.up("b")
	})
}

// TestNoEnd: a kernel that never ends its turn, or floods its console in it, is given up in
// virtual time, and so is one that somebody has stopped.
func TestNoEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		do      func(p *guesttest.Program)
		stopped string
		want    string
	}{
		{"hangs", func(p *guesttest.Program) { p.Hang() }, "", "virtual time has stood at"},
		{"stopped", func(p *guesttest.Program) { p.Hang() }, "it was stopped by a signal", "it was stopped by a signal"},
		{"floods", func(p *guesttest.Program) {
			for {
				p.Kernel.Write("console", make([]byte, 16<<10))
			}
		}, "", "virtual time has stood at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ks := guesttest.New(t)
			ks.Programs["go"] = func(p *guesttest.Program) int { tt.do(p); return 0 }
			ks.Stopped = func() string { return tt.stopped }
			r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true, StallLimit: 100 * time.Millisecond})
			r.up("b")
			r.exec("b", "go")
			if detail, _ := r.state("b", appliance.StateLost); !strings.Contains(detail, tt.want) {
				t.Errorf("it is lost: %s", detail)
			}
			r.must(r.PowerOn("b"))
			r.up("b")
		})
	}
}

// TestFloodInRealTime: a board that floods its console does not keep others from its plug.
func TestFloodInRealTime(t *testing.T) {
	ks := guesttest.New(t)
	ks.Programs["flood"] = func(p *guesttest.Program) int {
		for {
			p.Print("flood")
		}
	}
	r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{})
	r.up("b")
	r.exec("b", "flood")
	for range 100 {
		r.line("b", "console", "flood")
	}
	r.must(r.PullPlug("b"))
	r.state("b", appliance.StateOff)
}
