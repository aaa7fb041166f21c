package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/guest/kernel"
)

func expBench(t *testing.T) *bench {
	dir := t.TempDir()
	b := &bench{Options: Options{Init: "../../bin/firmware/init", Load: "../../bin/firmware/bench/load", Pulse: "../../bin/firmware/bench/pulse", Usfstl: "/tmp/usfstl/control/controller", Out: os.Stdout, Kernel: func(ctx context.Context, virtual bool, extra []byte) (string, error) {
		if k := os.Getenv("KERNEL"); k != "" {
			return k, nil
		}
		return (&kernel.Builder{Flavour: kernel.For(virtual), Extra: extra}).Build(ctx)
	}}, ctx: context.Background(), dir: dir}
	if err := b.makeRoots(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExp(t *testing.T) {
	b := expBench(t)
	n, _ := strconv.Atoi(os.Getenv("N"))
	period, _ := time.ParseDuration(os.Getenv("PERIOD"))
	total, _ := time.ParseDuration(os.Getenv("TOTAL"))
	for _, link := range strings.Fields(os.Getenv("LINKS")) {
		board, links := b.wakeBoard(""), ""
		if link != "none" {
			board, links = b.wakeBoard(ethernet), lan(n, fmt.Sprintf("latency = %q", link))
		}
		wall, err := b.wake(n, period, total, board, links)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%d boards %q: %.2f s, %.1f us a wake\n", n, link, wall.Seconds(), wall.Seconds()*1e6/float64(n)/float64(total/period))
	}
}

func TestBeat(t *testing.T) {
	b := expBench(t)
	n, _ := strconv.Atoi(os.Getenv("N"))
	period, _ := time.ParseDuration(os.Getenv("PERIOD"))
	total, _ := time.ParseDuration(os.Getenv("TOTAL"))
	for _, link := range strings.Fields(os.Getenv("LINKS")) {
		r, err := b.start(true, n, b.wakeBoard(ethernet), lan(n, fmt.Sprintf("latency = %q", link)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if _, err := b.command(r, fmt.Sprintf("b%d", i), "pulse", fmt.Sprint(period.Nanoseconds()), "100000000", fmt.Sprintf("10.0.0.%d", (i+1)%n+1)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.advance(r, 3*time.Second); err != nil {
			t.Fatal(err)
		}
		before := r.Turns()
		wall, err := b.advance(r, total)
		if err != nil {
			t.Fatal(err)
		}
		beats := float64(n) * float64(total/period)
		fmt.Printf("%d boards beating %q: %.2f s, %.1f us a beat, %.2f turns a beat\n", n, link, wall.Seconds(), wall.Seconds()*1e6/beats, float64(r.Turns()-before)/beats)
		r.Close()
	}
}

func TestIdle(t *testing.T) {
	b := expBench(t)
	for _, c := range []struct {
		n     int
		board string
		links string
		cmd   []string
	}{
		{1, b.wakeBoard(""), "", nil},
		{1, b.wakeBoard(""), "", []string{"pulse", "1000000000", "1000000"}},
		{2, b.wakeBoard(ethernet), lan(2, "latency = \"1ms\""), nil},
		{2, b.wakeBoard(ethernet), lan(2, "latency = \"1ms\""), []string{"pulse", "1000000000", "1000000"}},
		{2, b.wakeBoard(ethernet), lan(2, "latency = \"1ms\""), []string{"pulse", "1000000000", "1000000", "10.0.0.1"}},
	} {
		r, err := b.start(true, c.n, c.board, c.links)
		if err != nil {
			t.Fatal(err)
		}
		if c.cmd != nil {
			b.command(r, fmt.Sprintf("b%d", c.n-1), c.cmd...)
		}
		for range 4 {
			before := r.Turns()
			wall, err := b.advance(r, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("%d %v: %.3f s, %d turns in 10 s\n", c.n, c.cmd, wall.Seconds(), r.Turns()-before)
		}
		r.Close()
	}
}

func TestDmesg(t *testing.T) {
	b := expBench(t)
	r, err := b.start(true, 3, b.wakeBoard(ethernet), lan(3, "latency = \"1ms\""))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 3 {
		b.command(r, fmt.Sprintf("b%d", i), "pulse", "1000000000", "100000000", fmt.Sprintf("10.0.0.%d", (i+1)%3+1))
	}
	b.advance(r, 12*time.Second)
	wait, err := b.command(r, "b0", "/bin/busybox", "dmesg")
	if err != nil {
		t.Fatal(err)
	}
	out, err := wait()
	fmt.Println(out, err)
}
