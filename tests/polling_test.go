package tests

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/doctor"
	"backplane/periph/i2c"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// pollBoard is a board with a GPIO line, a real-time clock whose interrupt is not
// connected, and a program that polls.
func pollBoard(t *testing.T, more string, programs ...string) map[string]string {
	root := guesttest.Rootfs(t, append(programs, guesttest.Program(t, "backplane/tests/programs/poll"))...)
	return map[string]string{"main.toml": fmt.Sprintf(`name = "b"
[firmware]
rootfs = [%q]
[[gpio]]
name = "gpio0"
lines = ["a"]
[[i2c]]
name = "i2c0"
[[i2c.chip]]
name = "rtc0"
model = "ds3231"
address = 0x68
%s`, root, more)}
}

// TestPolledLine has a program read a line until it rises.
func TestPolledLine(t *testing.T) {
	app := guesttest.Run(t, pollBoard(t, ""), guesttest.Options{Seed: 1, StallLimit: 10 * time.Second})
	const wait = time.Second
	c := app.StartCommand("b", "poll", "line", "/dev/gpiochip0", "0")
	app.Sleep(wait)
	set := app.Now()
	app.MustSet("b.gpio0.a", "1")
	var end simbus.Time
	r := c.Wait()
	for _, e := range app.Events() {
		if e.Kind == appliance.KindExec {
			end = e.Time
		}
	}
	n := found(t, r.Stdout, `seen after (\d+)`)
	// Once in 50 us, and some hundred times before a reading takes that long.
	if n < 15_000 || n > 21_000 {
		t.Errorf("the line was read %d times in %s, want about 20,000", n, wait)
	}
	if late := end.Sub(set); late < 0 || late > time.Millisecond {
		t.Errorf("the program ended %s after the line rose", late)
	}
}

// TestPolledRTC has hwclock wait for the next second by reading a clock's registers.
func TestPolledRTC(t *testing.T) {
	app := guesttest.Run(t, pollBoard(t, "", "hwclock"), guesttest.Options{Seed: 1, StallLimit: 10 * time.Second})
	begin := app.Now()
	app.Do("b", "hwclock", "-r", "--noadjfile", "--utc")
	if took := app.Now().Sub(begin); took > 2100*time.Millisecond {
		t.Errorf("it took %s, want at most two seconds", took)
	}
	reads := 0
	for _, e := range app.Events() {
		if e.Kind == i2c.KindTransaction {
			reads++
		}
	}
	// A read of seven registers is ten bytes and takes some 0.9 ms.
	if reads < 100 || reads > 2500 {
		t.Errorf("%d transfers, want one a millisecond at most", reads)
	}
}

// TestSpin has programs wait by asking, and counts how often they do so and how
// often the host switches to the board for it.
func TestSpin(t *testing.T) {
	app := guesttest.Run(t, pollBoard(t, ""), guesttest.Options{Seed: 1, StallLimit: 10 * time.Second})
	for _, tt := range []struct {
		how  string
		d    time.Duration
		asks int // at most
		late time.Duration
	}{
		{"clock", 10 * time.Microsecond, 45, 500 * time.Nanosecond},
		{"clock", time.Millisecond, 400, 20 * time.Microsecond},
		{"clock", 100 * time.Millisecond, 2_500, 60 * time.Microsecond},
		{"clock", time.Second, 21_000, 60 * time.Microsecond},
		{"coarse", 100 * time.Millisecond, 2_800, 20 * time.Millisecond},
		{"tsc", 100 * time.Millisecond, 5_000, 60 * time.Microsecond},
		{"select", 100 * time.Millisecond, 2_000, 110 * time.Microsecond},
		{"yield", 100 * time.Millisecond, 3_000, 110 * time.Microsecond},
	} {
		t.Run(fmt.Sprint(tt.how, " ", tt.d), func(t *testing.T) {
			if tt.how == "tsc" {
				if err := doctor.Counter(); err != nil {
					t.Skip(err)
				}
			}
			turns := app.Turns()
			out := app.Do("b", "poll", tt.how, tt.d.String())
			turns = app.Turns() - turns
			asks, took := found(t, out, `^(\d+) `), time.Duration(found(t, out, ` (\d+)`))
			t.Logf("%d times in %s, %d turns", asks, took, turns)
			if asks > tt.asks {
				t.Errorf("it asked %d times, want at most %d", asks, tt.asks)
			}
			if late := took - tt.d; late > tt.late {
				t.Errorf("it waited %s, which is %s too long, want %s at most", took, late, tt.late)
			}
			if limit := 200 + uint64(3*tt.d/time.Millisecond); turns > limit {
				t.Errorf("%d turns for that, want %d at most", turns, limit)
			}
		})
	}
}

// TestTimeOfCalls looks at what system calls take, and what a board file says of it.
func TestTimeOfCalls(t *testing.T) {
	for _, tt := range []struct {
		table string
		want  time.Duration
	}{
		{"", 1000 * time.Microsecond},
		{"[time]\nsyscall = \"5us\"", 5000 * time.Microsecond},
		{"[time]\nsyscall = \"0s\"", 0},
	} {
		t.Run(tt.want.String(), func(t *testing.T) {
			app := guesttest.Run(t, pollBoard(t, tt.table), guesttest.Options{Seed: 1, StallLimit: 10 * time.Second})
			got := time.Duration(found(t, app.Do("b", "poll", "calls", "1000"), `(\d+)`))
			// The program's other threads make some as well.
			if over := got - tt.want; over < 0 || over > 10*time.Microsecond+tt.want/4 {
				t.Errorf("1000 calls took %s, want %s", got, tt.want)
			}
		})
	}
}

// TestBurn has a program compute for ever, which takes no time, and looks whether it
// is named.
func TestBurn(t *testing.T) {
	app := guesttest.Run(t, pollBoard(t, ""), guesttest.Options{Seed: 1, StallLimit: time.Second})
	app.StartCommand("b", "sh", "-c", "exec poll burn > /dev/console")
	pid := found(t, app.Console("b", `burning, PID`, time.Second), `(\d+)`)
	detail := untilState(app, "b", appliance.StateLost)
	if want := fmt.Sprintf("poll (PID %d) loops without sleeping", pid); !strings.Contains(detail, want) {
		t.Errorf("it is reported as %q, want %q", detail, want)
	}
}

// found is the first number in the text that the pattern's group finds.
func found(t *testing.T, text, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q has nothing like %q", text, pattern)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
