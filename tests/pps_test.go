package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/tests/guesttest"
)

// receiver plays a GPS receiver on a board's serial port: a pulse on DCD at each full second from
// the given one on, of 100 ms, and after it the sentence that tells the second, as of a receiver at 4807.038 north, 1131.000 east.
func receiver(t *testing.T, app *guesttest.App, port string, from, count int) {
	t.Helper()
	for i := range count {
		second := time.Duration(from+i) * time.Second
		if _, err := app.Advance(context.Background(), simbus.Time(second), nil); err != nil {
			t.Fatal(err)
		}
		app.MustSet(port+".dcd", "1")
		app.Sleep(100 * time.Millisecond)
		app.MustSet(port+".dcd", "0")
		now := guesttest.Start.Add(second)
		for _, body := range []string{
			fmt.Sprintf("GPRMC,%s.00,A,4807.038,N,01131.000,E,0.0,0.0,%s,,,A", now.Format("150405"), now.Format("020106")),
			fmt.Sprintf("GPGGA,%s.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,", now.Format("150405")),
		} {
			sum := byte(0)
			for _, c := range []byte(body) {
				sum ^= c
			}
			if err := app.Send(port, fmt.Appendf(nil, "$%s*%02X\r\n", body, sum)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// ppsBoard is a board whose serial port is for a GPS receiver.
func ppsBoard(root string) map[string]string {
	return map[string]string{"main.toml": fmt.Sprintf("name = \"clock\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n"+
		"[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\n", root)}
}

// TestPPS: ldattach makes a source of pulses per second of DCD, which ppstest reads. In virtual time
// the kernel sees each edge at its nanosecond.
func TestPPS(t *testing.T) {
	root := guesttest.Rootfs(t, "ldattach", "ppstest")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, ppsBoard(root), o)
		app.Do("clock", "ldattach", "PPS", "/dev/ttyS1")
		test := app.StartCommand("clock", "/bin/sh", "-c", "ppstest /dev/pps0 & sleep 5.5; kill $!")
		receiver(t, app, "clock.uart1", 2, 3)
		var want []string
		second, tenth := ".000000000", ".100000000"
		for i := range 3 {
			at := fmt.Sprint(guesttest.Start.Unix() + int64(2+i))
			if o.Real {
				at, second, tenth = "", "", ""
			}
			want = append(want, "assert "+at+second, fmt.Sprintf("sequence: %d", i+1), "clear  "+at+tenth, fmt.Sprintf("sequence: %d\n", i+1))
		}
		wants(t, test.Wait().Stdout, want...)
		if got := app.Sh("clock", "cat /sys/class/pps/pps0/assert"); !o.Real && got != fmt.Sprintf("%d.000000000#3\n", guesttest.Start.Unix()+4) {
			t.Errorf("the last pulse was at %s", got)
		}
	})
}

// TestGPSD: gpsd has position and time from a port's sentences, and the begin of each second from
// its DCD, by TIOCMIWAIT and the kernel's PPS.
func TestGPSD(t *testing.T) {
	app := guesttest.Run(t, ppsBoard(guesttest.Rootfs(t, "gpsd")), guesttest.Options{Seed: 1})
	app.Sh("clock", "ip link set lo up; gpsd -n -N -s 9600 /dev/ttyS1 >/dev/null 2>&1 & sleep 1")
	client := app.StartCommand("clock", "/bin/sh", "-c", `(echo '?WATCH={"enable":true,"json":true,"pps":true};'; sleep 15) | nc 127.0.0.1 2947`)
	receiver(t, app, "clock.uart1", 3, 14)
	pulses, fixes := 0, 0
	for line := range strings.Lines(client.Wait().Stdout) {
		var report struct { // gpsd_json(5)
			Class, Device, Time string
			Mode                int
			Lat, Lon            float64
			RealSec             int64 `json:"real_sec"`
			RealNsec            int64 `json:"real_nsec"`
			ClockSec            int64 `json:"clock_sec"`
			ClockNsec           int64 `json:"clock_nsec"`
		}
		if err := json.Unmarshal([]byte(line), &report); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		switch {
		case report.Class == "PPS":
			// The kernel may have its interrupts off for some microseconds.
			if late := (report.ClockSec-report.RealSec)*1e9 + report.ClockNsec - report.RealNsec; late < 0 || late > 10_000 {
				t.Errorf("the clock is %d ns off: %s", late, line)
			}
			pulses++
		case report.Class == "TPV" && report.Mode == 3 && report.Time != "":
			if math.Abs(report.Lat-(48+7.038/60)) > 1e-6 || math.Abs(report.Lon-(11+31.0/60)) > 1e-6 || !strings.HasPrefix(report.Time, "2026-01-01T00:00:") {
				t.Errorf("not what the receiver says: %s", line)
			}
			fixes++
		}
	}
	if pulses < 5 || fixes < 5 {
		t.Errorf("gpsd tells of %d pulses and %d fixes", pulses, fixes)
	}
}
