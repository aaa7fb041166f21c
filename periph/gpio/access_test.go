package gpio_test

import (
	"context"
	"testing"
	"time"

	"backplane/periph/gpio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// startTimed starts a controller of one line whose accesses take a microsecond.
func startTimed(t *testing.T) (*gpio.Controller, *virtiotest.Driver, *simbus.Calendar, *simbus.Domain) {
	t.Helper()
	cal := simbus.NewVirtual()
	domain, err := cal.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cal.Close)
	c := gpio.New("gpio0", []string{"a"})
	c.Clock, c.Access = domain, time.Microsecond
	return c, virtiotest.Start(t, c, 8, 0), cal, domain
}

func advance(t *testing.T, cal *simbus.Calendar, until simbus.Time) {
	t.Helper()
	if _, err := cal.Advance(context.Background(), until, nil); err != nil {
		t.Fatal(err)
	}
}

// TestAccessTakesTime makes two requests at once: the line changes, and each is
// answered, when its time is over.
func TestAccessTakesTime(t *testing.T) {
	c, d, cal, domain := startTimed(t)
	var rose simbus.Time
	c.Line(0).OnChange = func(wire.Level) { rose = domain.Now() }
	d.Rings[0].Add([][]byte{request(setValue, 0, 1)}, []int{2})
	d.Rings[0].Add([][]byte{request(setDirection, 0, out)}, []int{2})
	d.Kick(0)
	d.Kick(0) // while it is busy
	for i, want := range []int{0, 1, 1} {
		advance(t, cal, simbus.Time(1000*(i+1)))
		if got := len(d.Rings[0].Results()); got != want {
			t.Errorf("before %d us %d requests are answered, want %d", i+1, got, want)
		}
	}
	if rose != 2000 {
		t.Errorf("the line rose at %s, want 2 us", rose)
	}
	if d.Failure != nil {
		t.Error(d.Failure)
	}
}

// TestStopDuringAccess stops the controller while a request takes its time.
func TestStopDuringAccess(t *testing.T) {
	c, d, cal, _ := startTimed(t)
	d.Rings[0].Add([][]byte{request(setDirection, 0, out)}, []int{2})
	d.Kick(0)
	c.Stop()
	advance(t, cal, 10_000)
	if n := len(d.Rings[0].Results()); n != 0 || d.Failure != nil {
		t.Errorf("%d answers after the end, failure %v", n, d.Failure)
	}
}

// TestReadingsInARow has a driver read a line again and again: each reading takes
// longer, until the line changes or the driver does something else.
func TestReadingsInARow(t *testing.T) {
	c, d, cal, domain := startTimed(t)
	outside := c.Line(0).NewPin("outside")
	read := func() time.Duration {
		begin := domain.Now()
		d.Rings[0].Add([][]byte{request(getValue, 0, 0)}, []int{2})
		d.Kick(0)
		for step := begin; len(d.Rings[0].Results()) == 0; step += 1001 {
			advance(t, cal, step)
		}
		return domain.Now().Sub(begin)
	}
	wait := func(d time.Duration) (n int) {
		for begin := domain.Now(); domain.Now().Sub(begin) < d; n++ {
			read()
		}
		return n
	}
	if n := wait(100 * time.Millisecond); n < 2000 || n > 2600 {
		t.Errorf("it was read %d times in 100 ms, want once in 50 us and some hundred times before", n)
	}
	for _, tt := range []struct {
		what  string
		f     func()
		short bool // the second reading after that
	}{
		{"nothing", func() {}, false},
		{"the line changes", func() { outside.Drive(wire.DriveHigh) }, true},
		{"a line is set", func() {
			d.Rings[0].Add([][]byte{request(setValue, 0, 0)}, []int{2})
			d.Kick(0)
			advance(t, cal, domain.Now()+2000)
			d.Rings[0].Results()
		}, true},
		{"a pause", func() { advance(t, cal, domain.Now()+100_000) }, true},
	} {
		wait(5 * time.Millisecond)
		tt.f()
		read()
		if took := read(); (took < 3*time.Microsecond) != tt.short {
			t.Errorf("%s: the second reading takes %s", tt.what, took)
		}
	}
}

// TestBadRequestWithTime has a request that cannot be answered fail the device later.
func TestBadRequestWithTime(t *testing.T) {
	_, d, cal, _ := startTimed(t)
	d.Rings[0].Add([][]byte{{1, 2, 3}}, []int{2})
	d.Kick(0)
	advance(t, cal, 10_000)
	if d.Failure == nil {
		t.Error("a request of three bytes was taken")
	}
}

// TestLevelInterruptTakesTime has a handler that does not change the level: it is
// called again and again, and time goes on.
func TestLevelInterruptTakesTime(t *testing.T) {
	c, d, cal, _ := startTimed(t)
	c.Line(0).NewPin("outside").Drive(wire.DriveHigh)
	d.Rings[0].Add([][]byte{request(irqType, 0, high)}, []int{2})
	d.Kick(0)
	advance(t, cal, 5000)
	calls := 0
	for us := range 10 {
		d.Rings[1].Add([][]byte{{0, 0}}, []int{1})
		d.Kick(1)
		if len(d.Rings[1].Results()) != 0 {
			t.Fatal("the interrupt came in no time")
		}
		advance(t, cal, simbus.Time(5000+1001*(us+1)))
		calls += len(d.Rings[1].Results())
	}
	if calls != 10 || d.Failure != nil {
		t.Errorf("%d interrupts in 10 us, want 10; failure %v", calls, d.Failure)
	}
}
