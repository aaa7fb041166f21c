package tests

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// serialPair is two boards joined by a serial link.
func serialPair(root string, baud int) map[string]string {
	board := fmt.Sprintf("[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nbaud = %d\n", root, baud)
	return map[string]string{"a.toml": "name = \"a\"\n" + board, "b.toml": "name = \"b\"\n" + board, "main.toml": `
name = "serial"
[[board]]
file = "a.toml"
[[board]]
file = "b.toml"
[[serial]]
name = "link"
ports = ["a.uart1", "b.uart1"]
`}
}

// setTo waits until a program has opened a board's port and set it to a rate and a format.
func setTo(app *guesttest.App, board, setting string) {
	opened(app, board, "/dev/ttyS1")
	for app.MustGet(board+".uart1.rate")+" "+app.MustGet(board+".uart1.format") != setting {
		app.Sleep(10 * time.Millisecond)
	}
}

// TestSerialStream sends a stream both ways at once over a fast line. In virtual
// time the line is busy without a gap, to the nanosecond.
func TestSerialStream(t *testing.T) {
	const baud, count = 4_000_000, 2 << 20
	const charTime = 10 * time.Second / baud
	load := guesttest.Program(t, "backplane/tests/programs/load")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		flow := "-crtscts"
		if o.Real {
			flow = "crtscts" // a busy host may give a program too little time for 4 Mbaud
		}
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, load), baud), o)
		var receivers, senders []*guesttest.Command
		for _, b := range app.Boards() {
			receivers = append(receivers, app.StartCommand(b, "load", "receive", "/dev/ttyS1", fmt.Sprint(baud), flow, fmt.Sprint(count)))
		}
		for _, b := range app.Boards() {
			setTo(app, b, "4000000 8N1")
		}
		for _, b := range app.Boards() {
			senders = append(senders, app.StartCommand(b, "load", "transmit", "/dev/ttyS1", fmt.Sprint(baud), flow, fmt.Sprint(count)))
		}
		for _, c := range append(receivers, senders...) { // a sender waits for ever for a receiver that has failed
			if r := c.Wait(); r.Status != 0 { // they compare what they receive
				t.Fatalf("%s: %+v", c.Name(), r)
			}
		}
		for _, b := range app.Boards() {
			var first, last simbus.Time
			bytes, runs := 0, 0
			for _, e := range app.Events() {
				if e.Board != b || e.Kind != serial.KindRx {
					continue
				}
				data, _ := e.Get("data")
				bytes, last = bytes+len(data), e.Time
				if runs++; runs == 1 {
					first = e.Time.Add(-time.Duration(len(data)) * charTime)
				}
				if want := first.Add(time.Duration(bytes) * charTime); !o.Real && e.Time != want {
					t.Fatalf("byte %d reached %s at %s, want %s", bytes, b, e.Time, want)
				}
			}
			if bytes != count {
				t.Errorf("%d bytes reached %s, want %d", bytes, b, count)
			}
			for counter, want := range map[string]int{"sent": count, "received": count, "overrun": 0} {
				if got := app.MustGet(b + ".uart1." + counter); got != fmt.Sprint(want) {
					t.Errorf("%s.uart1.%s is %s, want %d", b, counter, got, want)
				}
			}
			t.Logf("%s received %d bytes in %d runs: %.0f bytes a second of %d", b, bytes, runs,
				float64(bytes)/last.Sub(first).Seconds(), baud/10)
		}
	})
}

// TestSerialFIFOSize lets root say that the transmitter's FIFO has another size than it has:
// what is sent stays whole, and the kernel's memory as well.
func TestSerialFIFOSize(t *testing.T) {
	const count = 100_000
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, tty), 115200), guesttest.Options{Seed: 1})
	for _, size := range []int{1 << 20, 1} {
		app.Do("a", "tty", "/dev/ttyS1", "rate=4000000", fmt.Sprintf("fifo=%d", size), fmt.Sprintf("zeros=%d", count), "drain")
	}
	if got := app.MustGet("a.uart1.sent"); got != fmt.Sprint(2*count) {
		t.Errorf("%s bytes are sent, want %d", got, 2*count)
	}
	app.Do("a", "/bin/dmesg")
}

// TestSerialUnopened sends to a board that has not opened its port: each byte is lost, and
// said to be.
func TestSerialUnopened(t *testing.T) {
	const baud, count = 4_000_000, 1 << 20
	load := guesttest.Program(t, "backplane/tests/programs/load")
	app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, load), baud), guesttest.Options{Seed: 1})
	app.Do("a", "load", "transmit", "/dev/ttyS1", fmt.Sprint(baud), "-crtscts", fmt.Sprint(count))
	app.Sleep(time.Second)
	said := 0
	for _, e := range app.Events() {
		if e.Kind != serial.KindOverrun {
			continue
		}
		n, _ := e.Get("lost")
		k, _ := strconv.Atoi(n)
		said += k
		if total, _ := e.Get("total"); e.Board != "b" || total != fmt.Sprint(said) {
			t.Fatalf("after %d lost bytes: %s", said, e.AppendJSON(nil))
		}
	}
	if got := app.MustGet("b.uart1.overrun"); said != count || got != fmt.Sprint(count) {
		t.Errorf("events tell of %d lost bytes, and the counter is %s, want %d", said, got, count)
	}
}
