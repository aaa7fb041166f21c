package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/can"
	"backplane/tests/guesttest"

	"github.com/gopacket/gopacket/pcapgo"
)

// canBoards start three boards on a CAN bus, with their interfaces up.
func canBoards(t *testing.T, o guesttest.Options) *guesttest.App {
	t.Helper()
	root := guesttest.Rootfs(t, "/usr/sbin/ip", "candump", "cansend", "cangen", "cansequence", "isotpsend", "isotprecv")
	app := guesttest.Run(t, map[string]string{
		"board.toml": fmt.Sprintf(`name = "ecu"
[firmware]
rootfs = [%q]
[[can]]
name = "can0"
bitrate = 500_000
data_bitrate = 2_000_000
`, root),
		"main.toml": `name = "car"
[[board]]
name = "a"
file = "board.toml"
[[board]]
name = "b"
file = "board.toml"
[[board]]
name = "c"
file = "board.toml"
[[can]]
name = "bus"
ports = ["a.can0", "b.can0", "c.can0"]
`}, o)
	for _, board := range []string{"a", "b", "c"} {
		app.Sh(board, "ip link set can0 up")
	}
	return app
}

// candump shows what a board receives until there have been so many frames.
func candump(app *guesttest.App, board string, frames int, more string) func() []string {
	c := app.StartCommand(board, "sh", "-c", fmt.Sprintf("candump -L -n %d can0%s | sed 's/.*can0 //'", frames, more))
	canListens(app, board)
	return func() []string { return strings.Fields(c.Wait().Stdout) }
}

// canListens waits until a program of a board listens to its CAN port.
func canListens(app *guesttest.App, board string) {
	app.Sh(board, "until cat /proc/net/can/rcvlist_* | grep can0 | grep -qv 'no entry'; do usleep 1000; done")
}

// canHappens waits for an event of a board, or of the bus.
func canHappens(app *guesttest.App, board, kind string) {
	app.Until(10*time.Second, kind+" of "+board, func(e *simbus.Event) bool { return e.Board == board && e.Kind == kind })
}

// TestCANFrames: frames of all kinds that can-utils send arrive on the other boards, and
// stand in the event stream.
func TestCANFrames(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		frames := []string{"123#", "7FF#0102030405060708", "1FFFFFFF#AA", "123#R", "123##4AABBCC", "00000001##4" + strings.Repeat("5A", 64)} // 4: CAN FD
		b, c := candump(app, "b", len(frames), ""), candump(app, "c", len(frames), "")
		for _, f := range frames {
			app.Do("a", "cansend", "can0", f)
		}
		app.Until(10*time.Second, "the last frame", func(e *simbus.Event) bool {
			id, _ := e.Get("id")
			return e.Kind == can.KindFrame && id == "00000001"
		})
		var events []string
		for _, e := range app.Events() {
			if id, ok := e.Get("id"); ok && e.Kind == can.KindFrame {
				format, _ := e.Get("format")
				data, _ := e.Get("data")
				events = append(events, id+" "+format+" "+data)
			}
		}
		for board, got := range map[string][]string{"b": b(), "c": c()} {
			if strings.Join(got, " ") != strings.Join(frames, " ") {
				t.Errorf("%s got %q, want %q", board, got, frames)
			}
		}
		want := []string{"123 classic ", "7FF classic 0102030405060708", "1FFFFFFF classic AA", "123 remote ", "123 fd AABBCC", "00000001 fd " + strings.Repeat("5A", 64)}
		if strings.Join(events, "\n") != strings.Join(want, "\n") {
			t.Errorf("the events are %q, want %q", events, want)
		}
	})
}

// Its boards' ports have these bit rates.
var canTiming = can.Timing{Bitrate: 500_000, DataBitrate: 2_000_000}

// canTimes are when the frames of the event stream ended.
func canTimes(app *guesttest.App) (times []simbus.Time) {
	for _, e := range app.Events() {
		if e.Kind == can.KindFrame {
			times = append(times, e.Time)
		}
	}
	return times
}

// canEach is how long the bus is busy with a frame, and rests after it.
func canEach(t *testing.T, text string) time.Duration {
	t.Helper()
	f, err := can.ParseFrame(text)
	if err != nil {
		t.Fatal(err)
	}
	return canTiming.Duration(&f) + canTiming.Intermission()
}

// TestCANArbitration: of boards that have frames at once the lowest identifier goes first,
// and the others follow without a rest.
func TestCANArbitration(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		got := candump(app, "c", 4, "")
		app.MustSet("bus.link", "down") // each is alone, and goes on trying
		app.Do("a", "cansend", "can0", "048C0000#AA")
		app.Do("a", "cansend", "can0", "050#DD")
		canHappens(app, "a", can.KindError)
		app.Do("b", "cansend", "can0", "123#BB")
		app.Do("b", "cansend", "can0", "124#CC")
		canHappens(app, "b", can.KindError)
		app.MustSet("bus.link", "up")
		want := []string{"123#BB", "048C0000#AA", "050#DD", "124#CC"} // b's is the base frame of the same bits
		if frames := got(); strings.Join(frames, " ") != strings.Join(want, " ") {
			t.Errorf("c got %q, want %q", frames, want)
		}
		times := canTimes(app)
		for i := 1; i < len(times) && !o.Real; i++ {
			// The transmitters are error-passive: they leave the bus to others after a frame.
			rest := times[i].Sub(times[i-1]) - canEach(t, want[i])
			if rest != 0 && rest != 8*2*time.Microsecond {
				t.Errorf("the rest before %s is %s", want[i], rest)
			}
		}
	})
}

// TestCANBusy: a board that always has frames gets as many through as there is room for on
// the bus: in virtual time to the nanosecond.
func TestCANBusy(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		const frames = 1000
		c := app.StartCommand("b", "sh", "-c", fmt.Sprintf("candump -L -n %d can0 | sort -u -k 3 | wc -l", frames))
		canListens(app, "b")
		app.Do("a", "cangen", "can0", "-g", "0", "-p", "10", "-I", "2AA", "-L", "8", "-D", "5555555555555555", "-n", fmt.Sprint(frames))
		n := 0
		app.Until(10*time.Second, "the end of the last frame", func(e *simbus.Event) bool {
			if e.Kind == can.KindFrame {
				n++
			}
			return n == frames
		})
		if o.Real {
			return // a board that gets no CPU for a while loses frames, as any does
		}
		if out := strings.TrimSpace(c.Wait().Stdout); out != "1" {
			t.Errorf("%q different frames arrived, want one", out)
		}
		times := canTimes(app)
		if len(times) != frames {
			t.Fatalf("%d frames went over the bus, want %d", len(times), frames)
		}
		if took, want := times[frames-1].Sub(times[0]), (frames-1)*canEach(t, "2AA#5555555555555555"); took != want {
			t.Errorf("%d frames took %s, want %s", frames-1, took, want)
		}
	})
}

// canState waits until a board's port is in a state.
func canState(app *guesttest.App, board, state string) simbus.Event {
	return app.Until(10*time.Second, board+" is "+state, func(e *simbus.Event) bool {
		s, _ := e.Get("state")
		return e.Board == board && e.Part == "can0" && s == state
	})
}

// TestCANBusOff: a port whose frames are all disturbed is bus-off; candump is told, and the
// board brings it back, by hand or by restart-ms.
func TestCANBusOff(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		errors := app.StartCommand("a", "candump", "-e", "-n", "1", "can0,0:0,#FFFFFFFF")
		canListens(app, "a")
		app.MustSet("bus.error_rate", "1")
		app.Do("a", "cansend", "can0", "123#01")
		canState(app, "a", "bus-off")
		if out := errors.Wait().Stdout; !strings.Contains(out, "ERRORFRAME") || !strings.Contains(out, "bus-off") {
			t.Errorf("candump shows %q", out)
		}
		if got := app.MustGet("bus:a.can0.tec") + " " + app.MustGet("bus:b.can0.rec"); got != "256 32" {
			t.Errorf("TEC of a and REC of b are %s, want 256 and 32", got)
		}
		app.MustSet("bus.error_rate", "0")
		if got := app.Sh("a", "/usr/sbin/ip -d link show can0"); !strings.Contains(got, "state BUS-OFF") {
			t.Errorf("the kernel says %s", got)
		}
		app.Sh("a", "ip link set can0 down && ip link set can0 up")
		canState(app, "a", "error-active")
		got := candump(app, "b", 2, "")
		app.Do("a", "cansend", "can0", "123#02")

		app.Sh("a", "ip link set can0 down && /usr/sbin/ip link set can0 type can restart-ms 100 && ip link set can0 up")
		app.MustSet("bus:a.can0.tec", "256")
		off := canState(app, "a", "bus-off")
		on := canState(app, "a", "error-active")
		if rest := on.Time.Sub(off.Time); rest < 100*time.Millisecond+128*11*2*time.Microsecond {
			t.Errorf("it is back after %s", rest)
		}
		app.Do("a", "cansend", "can0", "123#03")
		if frames := strings.Join(got(), " "); frames != "123#02 123#03" {
			t.Errorf("b got %q", frames)
		}
	})
}

// TestCANAlone: a port on no bus tries for ever, and is error-passive.
func TestCANAlone(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, "cansend")
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"x\"\n[firmware]\nrootfs = [%q]\n[[can]]\nname = \"can0\"\n[[can]]\nname = \"diag\"\nbitrate = 125_000\n", root)}, o)
		app.Sh("x", "ip link set can0 up; ip link set can1 up")
		app.Do("x", "cansend", "can1", "123#01")
		e := app.Until(10*time.Second, "it is error-passive", func(e *simbus.Event) bool {
			s, _ := e.Get("state")
			return e.Part == "diag" && s == "error-passive"
		})
		if tec, _ := e.Get("tec"); tec != "128" {
			t.Errorf("TEC is %s", tec)
		}
		app.Sleep(time.Second)
		errors := 0
		for _, e := range app.Events() {
			if why, _ := e.Get("error"); e.Kind == can.KindError && e.Part == "diag" && why == "ack" {
				errors++
			}
		}
		if errors != 16 {
			t.Errorf("%d errors are told, want the 16 that count", errors)
		}
		app.Sh("x", "ip link set can1 down; ip link set can1 up")
	})
}

// TestISOTP sends what fits into no frame, with flow control from the other side.
func TestISOTP(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		text := strings.TrimSpace(strings.Repeat("A5 ", 500))
		got := app.StartCommand("b", "isotprecv", "-s", "321", "-d", "123", "can0")
		canListens(app, "b")
		app.Sh("a", "echo "+text+" | isotpsend -s 123 -d 321 can0")
		if out := strings.TrimSpace(got.Wait().Stdout); out != text {
			t.Errorf("b got %d bytes of text, want %d: %.60s", len(out), len(text), out)
		}
	})
}

// TestCANCapture: what is recorded of a bus is SocketCAN in pcapng.
func TestCANCapture(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	app := canBoards(t, guesttest.Options{Seed: 1, Out: dir})
	app.Do("a", "cansend", "can0", "12345678#DEADBEEF")
	canHappens(app, "", can.KindFrame)
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "bus.pcapng"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	file, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := r.ReadPacketData()
	if want := "9234567804000000deadbeef"; err != nil || r.LinkType() != can.LinkType || fmt.Sprintf("%x", data) != want {
		t.Errorf("link type %d, frame %x, %v; want %d, %s", r.LinkType(), data, err, can.LinkType, want)
	}
}

// TestCANVerify: a busy bus with errors by chance, on which ports go bus-off and come back,
// is the same each time.
func TestCANVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := guesttest.Rootfs(t, "cangen", "candump", "/usr/sbin/ip")
	gen := func(id, n int) string {
		return fmt.Sprintf("ip link set can0 down; /usr/sbin/ip link set can0 type can restart-ms 20; ip link set can0 up; candump can0 >/dev/console 2>&1 & cangen can0 -g 1 -p 10 -I %x -L 8 -D i -n %d", id, n)
	}
	for name, text := range map[string]string{
		"board.toml": fmt.Sprintf("name = \"ecu\"\n[firmware]\nrootfs = [%q]\n[[can]]\nname = \"can0\"\n", root),
		"car.toml": "name = \"car\"\n[[board]]\nname = \"a\"\nfile = \"board.toml\"\n[[board]]\nname = \"b\"\nfile = \"board.toml\"\n" +
			"[[board]]\nname = \"c\"\nfile = \"board.toml\"\n[[can]]\nname = \"bus\"\nports = [\"a.can0\", \"b.can0\", \"c.can0\"]\nerror_rate = 0.2\n[[can.port]]\nname = \"c.can0\"\nerror_rate = 0.1\n",
		"main.toml": fmt.Sprintf(`name = "busy"
appliance = "car.toml"
seed = 1
[[step]]
exec = { board = "a", command = ["sh", "-c", %q], timeout = "20s" }
[[step]]
exec = { board = "b", command = ["sh", "-c", %q], timeout = "20s" }
[[step]]
set = { "bus:a.can0.tec" = 256 }
expect = { event = "can.state", where = { state = "error-active" }, within = "2s" }
[[step]]
exec = { board = "c", command = ["sh", "-c", %q], timeout = "20s" }
`, gen(0x100, 100), gen(0x200, 100), gen(0x300, 100))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verified(t, filepath.Join(dir, "main.toml"), 8)
}

// TestCANRates sets bit rates as set-up scripts for hardware do: the bus's are taken, in
// full as well, and shown, and others refused.
func TestCANRates(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := canBoards(t, o)
		const set = "ip link set can0 down; /usr/sbin/ip link set can0 type can "
		app.Sh("a", set+"bitrate 500000 dbitrate 2000000 fd on restart-ms 100 && /usr/sbin/ip link set can0 up")
		shown := app.Sh("a", "/usr/sbin/ip -details link show can0")
		for _, want := range []string{"bitrate 500000", "dbitrate 2000000"} {
			if !strings.Contains(shown, want) {
				t.Errorf("there is no %q in\n%s", want, shown)
			}
		}
		got := candump(app, "b", 1, "")
		app.Sh("a", "cansend can0 123#01")
		if frames := got(); len(frames) != 1 || frames[0] != "123#01" {
			t.Errorf("frames %q", frames)
		}
		if status := app.Sh("a", set+"bitrate 250000 2>/dev/null; echo $?"); status == "0\n" {
			t.Error("a bit rate that the bus does not have is taken")
		}
	})
}
