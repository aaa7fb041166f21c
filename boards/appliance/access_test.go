package appliance_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// TestGetAndSet reads and sets what the outside can, with a board that is on and off.
func TestGetAndSet(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Programs["temperature"] = func(p *guesttest.Program) int { // of a TMP102: 12 bits of a sixteenth of a degree
			b := p.ReadRegister("i2c0", 0x48, 0, 2)
			if b == nil {
				return 1
			}
			p.Print("temperature %d", int16(binary.BigEndian.Uint16(b))>>4)
			return 0
		}
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		r.must(r.Set("b.temp0.temperature", "-12.5"))
		r.pass(time.Second / 8) // until the next conversion
		r.exec("b", "temperature")
		r.line("b", "console", "temperature -200")
		r.must(r.Set("b.temp0.temperature", "30"))
		if v, unit, err := r.Get("b.temp0.temperature"); v != "30" || unit == "" || err != nil {
			t.Errorf("it is %s %q, %v", v, unit, err)
		}
		r.must(r.PullPlug("b"))
		r.must(r.Set("b.temp0.temperature", "40")) // the room goes on being warm
		if v := r.value("b.temp0.temperature"); v != "40" {
			t.Errorf("it is %s", v)
		}
		r.must(r.PowerOn("b"))
		r.up("b")
		r.pass(time.Second / 8)
		r.exec("b", "temperature")
		r.line("b", "console", "temperature 640")
		for _, bad := range []struct{ path, value, want string }{
			{"b.temp0.temperature", "hot", "hot"},
			{"b.temp0.temperatur", "1", `did you mean "temperature"`},
			{"b.temp1.temperature", "1", `did you mean "temp0"`},
			{"c.temp0.temperature", "1", `"c"`},
			{"b.gpio0.in", "2", "2"},
			{"b.gpio0.in.missed", "0", "is read-only"},
			{"b.uart1.sent", "0", "is read-only"},
			{"b.eth0.link", "sideways", "sideways"},
		} {
			if err := r.Set(bad.path, bad.value); err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("%s set to %s: error %v, want one with %q", bad.path, bad.value, err, bad.want)
			}
		}
	})
}

// TestProbes drives lines from outside, reads those that the guest drives, and lets go.
func TestProbes(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Programs["sense"] = func(p *guesttest.Program) int { p.Print("in is %d", p.Sense("gpio0", 0)); return 0 }
		ks.Programs["drive"] = func(p *guesttest.Program) int { p.Drive("gpio0", 1, 1); p.Print("driven"); return 0 }
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		for _, tt := range []struct{ set, want string }{{"1", "1"}, {"0", "0"}, {"1", "1"}, {"float", "0"}} {
			r.must(r.Set("b.gpio0.in", tt.set))
			r.exec("b", "sense")
			r.line("b", "console", "in is "+tt.want)
		}
		r.exec("b", "drive")
		r.line("b", "console", "driven")
		if v := r.value("b.gpio0.out"); v != "1" {
			t.Errorf("the line that the guest drives is %s", v)
		}
		r.must(r.Set("b.gpio0.out", "0"))
		r.until("a conflict", func(e *simbus.Event) bool {
			text, _ := e.Get("error")
			return e.Part == "gpio0" && strings.Contains(text, "high and")
		})
		r.must(r.Set("b.gpio0.out", "float"))
		r.must(r.PullPlug("b"))
		if v := r.value("b.gpio0.out"); v != "0" {
			t.Errorf("the line is %s with the board off", v)
		}
	})
}

// TestMissedEdges counts those that come while the guest is not ready for them.
func TestMissedEdges(t *testing.T) {
	ks := guesttest.New(t)
	ks.Boot = func(k *guesttest.Kernel) {
		k.Arm("gpio0", 0)
		k.Go(func() {
			k.Edge("gpio0", 0)
			k.Print("the first")
			k.Sleep(100 * time.Millisecond)
			k.Edge("gpio0", 0)
			k.Print("the second")
		})
		k.Up()
	}
	r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
	r.up("b")
	for _, level := range []string{"1", "0", "1", "0"} { // one that is heard, one that waits, two that are missed
		r.pass(time.Millisecond)
		r.must(r.Set("b.gpio0.in", level))
	}
	r.line("b", "console", "the second")
	if v := r.value("b.gpio0.in.missed"); v != "2" {
		t.Errorf("%s edges were missed, want 2", v)
	}
}

// TestConsoles types on consoles and reads them, also as one who is attached.
func TestConsoles(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Boot = func(k *guesttest.Kernel) {
			for _, name := range []string{"console", "debug", "uart1"} {
				k.Go(func() {
					for {
						k.Write(name, []byte("login: "))
						k.Write(name, []byte("hello "+k.ReadLine(name)+"\r\n"))
					}
				})
			}
			k.Up()
		}
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		var mu sync.Mutex
		var heard []byte
		in, detach, err := r.Attach("b.debug", func(p []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, p...)
		})
		r.must(err)
		for _, tt := range []struct{ path, part string }{{"b", "console"}, {"b:console", "console"}, {"b.uart1", "uart1"}, {"b:debug", "debug"}} {
			r.must(r.Send(tt.path, []byte("you\r")))
			r.line("b", tt.part, "login: hello you")
		}
		if ok, err := in([]byte("me\n")); !ok || err != nil {
			t.Errorf("what is typed is taken: %v, %v", ok, err)
		}
		r.line("b", "debug", "login: hello me")
		detach()
		r.must(r.Send("b:debug", []byte("all\r")))
		r.line("b", "debug", "login: hello all")
		mu.Lock()
		if got := string(heard); !strings.HasPrefix(got, "hello you\r\nlogin: hello me\r\n") || strings.Contains(got, "all") {
			t.Errorf("one who was attached heard %q", got)
		}
		mu.Unlock()
		if v := r.value("b.uart1.received"); v != "4" {
			t.Errorf("the UART has received %s bytes, want 4", v)
		}
		r.pass(2 * appliance.PromptDelay)
		if p, err := r.Pending("b"); err != nil || p.Text != "login: " || p.Quiet.Sub(p.Since) != appliance.PromptDelay || p.Line != 2 {
			t.Errorf("the line that has not ended is %+v, %v", p, err)
		}
		for path, want := range map[string]string{
			"b":       "name one of the board's serial ports: b.uart1",
			"b.uart2": `board b: there is no serial port "uart2": did you mean "uart1"?`,
			"b.debug": `board b: there is no serial port "debug": there is only uart1`,
			"c":       `there is no board "c": did you mean "b"?`,
		} {
			if _, _, err := r.Outlet(path, nil); err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", path, err, want)
			}
		}
		r.must(r.Do(appliance.Unplug.At("b.uart1")))
		if err := r.Send("b.uart1", []byte("x")); err == nil || !strings.Contains(err.Error(), "b.uart1: it is unplugged") {
			t.Errorf("sent to a port that is unplugged: %v", err)
		}
		r.must(r.Do(appliance.Plug.At("b.uart1")))
		r.must(r.Send("b.uart1", []byte("x")))
		if err := r.Send("b:none", nil); err == nil || !strings.Contains(err.Error(), `"none"`) {
			t.Errorf("error %v", err)
		}
	})
}

// TestConsoleThatNobodyReads takes so much, and says that the rest is lost; a client is told
// to wait.
func TestConsoleThatNobodyReads(t *testing.T) {
	ks := guesttest.New(t)
	ks.Boot = func(k *guesttest.Kernel) { k.Up() }
	r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
	r.must(r.PullPlug("b"))
	in, detach, err := r.Attach("b", func([]byte) {})
	r.must(err)
	defer detach()
	piece := bytes.Repeat([]byte("x"), 1<<19)
	for i, want := range []bool{true, true, false} {
		if ok, err := in(piece); ok != want || err != nil {
			t.Errorf("piece %d is taken: %v, %v", i, ok, err)
		}
	}
	if err := r.Send("b", piece); err == nil || !strings.Contains(err.Error(), "524288 bytes dropped") {
		t.Errorf("error %v", err)
	}
}
