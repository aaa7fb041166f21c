package appliance_test

import (
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// TestPower switches a board on and off in all ways that there are.
func TestPower(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		refused := func(err error, want string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
		r.state("b", appliance.StateBooting)
		refused(r.PowerOn("b"), "already on")
		r.state("b", appliance.StateUp)
		refused(r.PowerOn("c"), `"c"`)
		r.must(r.PowerOff("b"))
		if detail, _ := r.state("b", appliance.StateOff); detail != "" {
			t.Errorf("it is off: %s", detail)
		}
		if s, err := r.State("b"); s != appliance.StateOff || err != nil {
			t.Errorf("it is %q, %v", s, err)
		}
		if _, err := r.KernelPID("b"); err == nil {
			t.Error("a board that is off has a kernel")
		}
		refused(r.PowerOff("b"), "already off")
		refused(r.PullPlug("b"), "already off")
		r.must(r.PowerOn("b"))
		r.state("b", appliance.StateBooting)
		r.state("b", appliance.StateUp)
		if v := r.value("b.gpio0.button"); v != "1" {
			t.Errorf("the button's pin is %s, which drives it high", v)
		}
		r.must(r.PullPlug("b"))
		if detail, _ := r.state("b", appliance.StateOff); detail != "plug pulled" {
			t.Errorf("it is off: %s", detail)
		}
		if v := r.value("b.gpio0.button"); v != "0" {
			t.Errorf("the button's pin is %s without power", v)
		}
		r.must(r.PowerOn("b"))
		r.state("b", appliance.StateBooting)
		if o.Virtual { // its agent has said nothing yet
			refused(r.PowerOff("b"), "not running")
		}
		r.must(r.PullPlug("b"))
		if n := len(ks.Starts()); n != 3 {
			t.Errorf("%d kernels were started, want 3", n)
		}
	})
}

// TestRestart has a kernel restart: its parts notice nothing, and its devices take the next one.
func TestRestart(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Programs["reboot"] = func(p *guesttest.Program) int { p.Restart(); return 0 }
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		r.must(r.Set("b.gpio0.in", "1"))
		for range 3 {
			r.exec("b", "reboot")
			if detail, _ := r.state("b", appliance.StateOff); detail != "restarting" {
				t.Errorf("it is off: %s", detail)
			}
			r.state("b", appliance.StateBooting)
			r.state("b", appliance.StateUp)
		}
		if v := r.value("b.gpio0.in"); v != "1" {
			t.Errorf("the line from outside is %s", v)
		}
	})
}

// TestBootTime: the bootloader takes its time after power-on and after a reset, in which the
// board is on, cannot be asked for anything, and can lose its power.
func TestBootTime(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Programs["reboot"] = func(p *guesttest.Program) int { p.Restart(); return 0 }
		r := start(t, ks, files{"main.toml": oneBoard + "[time]\nboot = \"60ms\"\n"}, o)
		_, on := r.state("b", appliance.StateBooting)
		if err := r.PowerOff("b"); err == nil || !strings.Contains(err.Error(), "bootloader") {
			t.Errorf("power off: %v", err)
		}
		if err := r.PowerOn("b"); err == nil || !strings.Contains(err.Error(), "already on") {
			t.Errorf("power on: %v", err)
		}
		if n := len(ks.Starts()); n != 0 {
			t.Errorf("%d kernels were started", n)
		}
		took := func(at simbus.Time) {
			t.Helper()
			if d := at.Sub(on); d < 60*time.Millisecond || o.Virtual && d != 60*time.Millisecond {
				t.Errorf("it was up after %s", d)
			}
		}
		_, at := r.state("b", appliance.StateUp)
		took(at)
		r.exec("b", "reboot")
		r.state("b", appliance.StateOff)
		_, on = r.state("b", appliance.StateBooting)
		_, at = r.state("b", appliance.StateUp)
		took(at)
		r.exec("b", "reboot")
		r.state("b", appliance.StateOff)
		r.state("b", appliance.StateBooting)
		r.must(r.PullPlug("b"))
		r.state("b", appliance.StateOff)
		r.pass(100 * time.Millisecond)
		if n := len(ks.Starts()); n != 2 {
			t.Errorf("%d kernels were started, want 2: none after its power went", n)
		}
	})
}

// TestSupplyHoldsUp: after a shutdown in order parts have power for 10 ms more, and after the
// plug's end not at all. What the guest has given its UART goes out meanwhile.
func TestSupplyHoldsUp(t *testing.T) {
	const all = 1152 // bytes, which take 100 ms at 115,200 baud
	for _, tt := range []struct {
		name   string
		end    func(p *guesttest.Program)
		holds  time.Duration
		least  int
		most   int
		pulled bool
	}{
		{"shutdown", func(p *guesttest.Program) { p.Halt() }, 10 * time.Millisecond, 112, 112, false},
		{"plug", func(p *guesttest.Program) { p.Sleep(time.Hour) }, 0, 0, 32, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ks := guesttest.New(t)
			ks.Programs["send"] = func(p *guesttest.Program) int {
				p.Kernel.Go(func() { p.Kernel.Write("uart1", make([]byte, all)) })
				p.Sleep(time.Microsecond)
				p.Print("sent")
				tt.end(p)
				return 0
			}
			r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
			r.up("b")
			r.exec("b", "send")
			r.line("b", "console", "sent")
			if tt.pulled {
				r.must(r.PullPlug("b"))
			}
			_, off := r.state("b", appliance.StateOff)
			gone := r.until("its button floats", func(e *simbus.Event) bool {
				level, _ := e.Get("level")
				return e.Kind == kindLevel && level == "0"
			})
			if d := gone.Time.Sub(off); d != tt.holds {
				t.Errorf("its parts had power for %s, want %s", d, tt.holds)
			}
			r.pass(time.Second)
			sent := 0
			for _, e := range r.events {
				if data, _ := e.Get("data"); e.Kind == kindUARTTx {
					sent += len(data)
				}
			}
			if sent < tt.least || sent > tt.most {
				t.Errorf("%d bytes were sent, want %d to %d", sent, tt.least, tt.most)
			}
			r.must(r.PowerOn("b"))
			r.up("b")
		})
	}
}

// TestOnWhileTheSupplyLasts switches a board on again before its power has gone: it goes,
// all the same.
func TestOnWhileTheSupplyLasts(t *testing.T) {
	ks := guesttest.New(t)
	r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
	r.up("b")
	r.must(r.PowerOff("b"))
	r.state("b", appliance.StateOff)
	r.pass(time.Millisecond)
	r.must(r.PowerOn("b"))
	r.state("b", appliance.StateBooting)
	r.seen = 0
	for _, level := range []string{"1", "0", "1"} {
		e := r.until("its button's pin changes", func(e *simbus.Event) bool { return e.Kind == kindLevel })
		if got, _ := e.Get("level"); got != level {
			t.Errorf("at %s it is %s, want %s", e.Time, got, level)
		}
	}
	r.up("b")
	r.pass(time.Second) // in which the old supply would have ended
	if v := r.value("b.gpio0.button"); v != "1" {
		t.Errorf("the button's pin is %s", v)
	}
}

// TestShutDown powers boards off in order, and pulls the plug of one that does not go.
func TestShutDown(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		t.Parallel()
		ks := guesttest.New(t)
		ks.Boot = func(k *guesttest.Kernel) {
			if k.Config.Board == "b" {
				k.Up()
				return
			}
			k.Hello()
		}
		r := start(t, ks, files{
			"b.toml": oneBoard, "deaf.toml": strings.Replace(oneBoard, "rootfs = []", "rootfs = []\nshutdown = \"100ms\"", 1),
			"main.toml": "name = \"two\"\n[[board]]\nfile = \"b.toml\"\n[[board]]\nname = \"deaf\"\nfile = \"deaf.toml\"\n"}, o)
		r.up("b", "deaf")
		r.ShutDown(t.Context(), time.Now())
		r.seen = 0
		details := make(map[string]string)
		for range 2 {
			e := r.until("a board is off", func(e *simbus.Event) bool {
				state, _ := e.Get("state")
				return e.Kind == kindGuest && state == appliance.StateOff
			})
			details[e.Board], _ = e.Get("detail")
		}
		if details["b"] != "" || !strings.Contains(details["deaf"], "not off within") {
			t.Errorf("they are off: %q", details)
		}
	})
}
