package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// compiled is a program of tests/programs that is in C, with no library that a guest would need.
func compiled(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("gcc", "-static", "-O1", "-Wall", "-Werror", "-o", file, filepath.Join("programs", name, name+".c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// stress has both boards of a pair send random bytes to one another at once, and returns what
// they say. If both are content, each byte was right, and so were the counters of their ports.
func stress(app *guesttest.App, rate int, format, flow string, count int) (ends []guesttest.Result) {
	var programs []*guesttest.Command
	for i, b := range app.Boards() {
		programs = append(programs, app.StartCommand(b, "stress", "/dev/ttyS1", fmt.Sprint(rate), format, flow, fmt.Sprint(count),
			fmt.Sprint(i+1), fmt.Sprint(2-i)))
	}
	for _, p := range programs {
		ends = append(ends, p.Wait())
	}
	return ends
}

// bits is how many a character of a format has on the line.
func bits(format string) int64 {
	n := int64(format[0]-'0') + 2
	if format[1] != 'N' {
		n++
	}
	if format[2] == '2' {
		n++
	}
	return n
}

// TestSerialStress sends random bytes both ways at once at several rates, in several formats, with
// RTS and CTS and without. In virtual time the line never rests, and each byte, to the last,
// comes at its nanosecond.
func TestSerialStress(t *testing.T) {
	t.Parallel()
	program := compiled(t, "stress")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, program), 9600), o)
		for _, tt := range []struct {
			rate         int
			format, flow string
			count        int
		}{
			{50, "8N1", "-crtscts", 8}, {300, "7E1", "crtscts", 50}, {9600, "8N2", "-crtscts", 1000}, {19200, "8E1", "-crtscts", 2000},
			{115200, "8O2", "crtscts", 20_000}, {250_000, "6S1", "-crtscts", 40_000}, {460_800, "8N1", "crtscts", 100_000},
			{500_000, "5N1", "crtscts", 100_000}, {1_000_000, "8M1", "crtscts", 200_000}, {4_000_000, "8N1", "crtscts", 2 << 20},
			{4_000_000, "8E1", "-crtscts", 1 << 20},
		} {
			if o.Real && tt.flow == "-crtscts" && tt.rate > 1_000_000 {
				continue // a busy host may give a program too little time for it
			}
			t.Run(fmt.Sprint(tt.rate, " ", tt.format, " ", tt.flow), func(t *testing.T) {
				before := len(app.Events())
				for i, end := range stress(app, tt.rate, tt.format, tt.flow, tt.count) {
					if end.Status != 0 {
						t.Fatalf("%s: %+v", app.Boards()[i], end)
					}
				}
				for _, b := range app.Boards() {
					first, last, n := arrivals(t, app.Events()[before:], b, tt.rate, tt.format, !o.Real)
					if n != tt.count {
						t.Errorf("%d bytes reached %s, want %d", n, b, tt.count)
					}
					took := last.Sub(first)
					t.Logf("%s has received %d bytes in %s: %.4f of the line's rate", b, n, took,
						float64(int64(n)*bits(tt.format))/float64(tt.rate)/took.Seconds())
				}
			})
		}
	})
}

// TestSerialStressFinds: noise on the line is found, by the program and by the counters.
func TestSerialStressFinds(t *testing.T) {
	program := compiled(t, "stress")
	app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, program), 9600), guesttest.Options{Seed: 1})
	app.MustSet("b.uart1.noise", "0.0001")
	end := stress(app, 460_800, "8E1", "-crtscts", 50_000)[1]
	if end.Status != 1 || !strings.Contains(end.Stderr, "want 0x") {
		t.Errorf("it ends with %+v", end)
	}
	if got := app.MustGet("b.uart1.parity"); got == "0" {
		t.Errorf("no parity errors are counted")
	}
}

// arrivals is when the first bit of what reached a board began, when the last one ended, and how
// many bytes there were. If exact is wanted, each run of them must have come at its nanosecond;
// where the rate's bits are no whole nanoseconds, within one, since the first bit is reckoned from a time that was rounded.
func arrivals(t *testing.T, events []simbus.Event, board string, rate int, format string, exact bool) (first, last simbus.Time, n int) {
	t.Helper()
	line := func(bytes int) time.Duration {
		return time.Duration(int64(bytes) * bits(format) * int64(time.Second) / int64(rate))
	}
	slack := time.Nanosecond
	if int64(time.Second)%int64(rate) == 0 {
		slack = 0
	}
	for _, e := range events {
		if e.Board != board || e.Kind != serial.KindRx {
			continue
		}
		data, _ := e.Get("data")
		if n += len(data); n == len(data) {
			first = e.Time.Add(-line(n))
		}
		last = e.Time
		if late := last.Sub(first.Add(line(n))); exact && late.Abs() > slack {
			t.Fatalf("byte %d reached %s %s after its time", n, board, late)
		}
	}
	return first, last, n
}

// TestSerialVerify runs an appliance whose serial link is busy both ways at several rates, at the
// end with noise, BACKPLANE_SERIAL_RUNS times: every run is the same.
func TestSerialVerify(t *testing.T) {
	program := compiled(t, "stress")
	files := serialPair(guesttest.Rootfs(t, program), 9600)
	var steps strings.Builder
	steps.WriteString("name = \"serial\"\nappliance = \"main.toml\"\n")
	both := func(line, then string) {
		fmt.Fprintf(&steps, "[[step]]\nexec = { board = \"a\", command = [\"sh\", \"-c\", \"(stress /dev/ttyS1 %s 1 2; echo status $?) >/tmp/out 2>&1 &\"] }\n"+
			"[[step]]\nexec = { board = \"b\", command = [\"sh\", \"-c\", \"stress /dev/ttyS1 %s 2 1%s\"] }\n", line, line, then)
	}
	for _, line := range []string{"50 8N1 -crtscts 8", "115200 7E2 crtscts 20000", "4000000 8N1 crtscts 262144"} {
		both(line, "")
		steps.WriteString("[[step]]\nwait = \"100ms\"\nexec = { board = \"a\", command = [\"cat\", \"/tmp/out\"], output = \"status 0\" }\n")
	}
	steps.WriteString("[[step]]\nset = { \"b.uart1.noise\" = 0.001 }\n")
	both("921600 8O1 -crtscts 50000", " 2>/dev/console; test $? = 1")
	steps.WriteString("[[step]]\nwait = \"11s\"\nexpect = { property = \"b.uart1.parity\", above = 0 }\n")
	files["scenario.toml"] = steps.String()
	verified(t, filepath.Join(writeFiles(t, files), "scenario.toml"), int(setting(t, "BACKPLANE_SERIAL_RUNS", 3)))
}
