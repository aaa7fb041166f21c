package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/tests/guesttest"
)

// TestSoak keeps an appliance of 12 boards up, with clients, captures, reboots and power
// cycles without end: descriptors, goroutines and memory stay as they are. BACKPLANE_SOAK
// is for how long, in both clocks together. BACKPLANE_SOAK_PROFILES is a folder that a heap
// profile of each sample goes into, to see what has grown: go tool pprof -diff_base.
func TestSoak(t *testing.T) {
	d := 16 * time.Second
	if text := os.Getenv("BACKPLANE_SOAK"); text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			t.Fatalf("BACKPLANE_SOAK: %v", err)
		}
	}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		dir := t.TempDir()
		file := plantFiles(t, dir)
		guesttest.Init(t) // is built where it stays
		places := leavesNothing(t)
		p := newPlant(t, file, o, filepath.Join(dir, "out"))
		p.untilUp()
		p.fill()
		r := rand.New(rand.NewPCG(1, 1))
		begin := time.Now()
		var first, now holdings
		var warm time.Duration
		said := time.Time{}
		rounds := 0
		for ; time.Since(begin) < d/2 || rounds < 4; rounds++ {
			p.round(r, rounds)
			if time.Since(begin) < min(d/8, time.Minute) || rounds < 2 {
				continue
			}
			now = places.have(t)
			if first == (holdings{}) {
				first, warm = now, time.Since(begin)
			}
			if time.Since(said) > time.Minute {
				t.Logf("after %s and %d rounds: %s", time.Since(begin).Round(time.Second), rounds+1, now)
				said = time.Now()
				heapProfile(t, time.Since(begin))
			}
		}
		heapProfile(t, time.Since(begin))
		t.Logf("after %s and %d rounds: %s; after %s: %s", time.Since(begin).Round(time.Second), rounds, now, warm.Round(time.Second), first)
		const slack = 4 // a connection may be in the making
		if now.descriptors > first.descriptors+slack || now.goroutines > first.goroutines+slack {
			t.Errorf("descriptors or goroutines have become more: %s, before %s", now, first)
		}
		if now.heap > first.heap+soakSlack || now.rss > first.rss+4*soakSlack {
			t.Errorf("memory has become more: %s, before %s", now, first)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
		p.journal.check(t, p.out)
	})
}

// soakSlack is how much the heap may differ between two moments, in bytes: connections
// come and go, and buffers are as large as they had to be once. It is much less than
// what the consoles' lines take that are kept for clients.
const soakSlack = 2 << 20

// fill has each console and UART say as many lines as are kept for clients, and as long
// ones as boards say otherwise: from then on what is kept takes no more memory.
func (p *plant) fill() {
	const kept = 2000
	script := fmt.Sprintf(`stty -F /dev/ttyS1 raw -echo
yes 'a line that is as long as most of those that a kernel or a program says' | head -n %d >/dev/console
seq 10001 %d >/dev/ttyS1`, kept, 10000+kept)
	var wg sync.WaitGroup
	for i := range plantBoards {
		wg.Go(func() {
			if err := p.request(control.Request{Command: "exec", Path: fmt.Sprintf("b%d", i), Args: []string{"/bin/sh", "-c", script}}); err != nil {
				p.t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, place := range p.r.Places("console") { // a UART sends on after the program has ended
		board, part := boards.ConsolePlace(place)
		done := p.within(fmt.Sprintf("%s to say %d lines", place, kept))
		for p.journal.lineCount(board, part) < kept {
			time.Sleep(10 * time.Millisecond)
		}
		done()
	}
}

// heapProfile writes what the heap holds, where such a profile is wanted.
func heapProfile(t *testing.T, after time.Duration) {
	t.Helper()
	dir := os.Getenv("BACKPLANE_SOAK_PROFILES")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%04ds.heap", filepath.Base(t.Name()), int(after.Seconds()))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
		t.Fatal(err)
	}
}

func (h holdings) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %.1f MiB of heap, %.1f MiB resident", h.descriptors, h.goroutines, float64(h.heap)/(1<<20), float64(h.rss)/(1<<20))
}

// round has each kind of client once, then a reboot and a power cycle, after which all
// boards are up again.
func (p *plant) round(r *rand.Rand, n int) {
	p.t.Helper()
	check := func(err error) {
		if err != nil {
			p.t.Error(err)
		}
	}
	for i := range 4 {
		check(p.answers(fmt.Sprintf("b%d", (n+i)%plantBoards)))
	}
	check(console(p, r))
	check(readFIFO(p, r))
	check(halfRequest(p, r))
	check(p.visit(control.Request{Command: "capture", Args: []string{"lan1"}}, moment(r), 10000))
	check(p.ask("cut", "lan0:b1.eth0", ""))
	check(p.ask("set", "b3.temp0.temperature", fmt.Sprint(n%50)))
	check(p.ask("restore", "lan0:b1.eth0", ""))
	// Not one that reads its sensor without end: a kernel that restarts in the middle of an
	// I2C transfer can hang.
	reboots, cycles := fmt.Sprintf("b%d", n%3*4+n%2), fmt.Sprintf("b%d", (n+5)%plantBoards)
	before := p.journal.count(reboots, appliance.StateUp)
	check(p.request(control.Request{Command: "exec", Path: reboots, Args: []string{"/bin/reboot", "-f"}}))
	check(p.ask("pull_plug", cycles, ""))
	check(p.ask("power_on", cycles, ""))
	defer p.within(reboots + " to reboot")()
	for p.journal.count(reboots, appliance.StateUp) == before {
		time.Sleep(10 * time.Millisecond)
	}
	p.untilUp()
}
