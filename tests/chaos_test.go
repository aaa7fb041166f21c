package tests

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/tests/guesttest"
)

// setting is one of the tests' own: an environment variable, or its default.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestChaos lets faults of all kinds happen to an appliance of 12 boards, drawn by a seed,
// from several sides at once: of links, parts, guests, clients and the host's processes.
// BACKPLANE_CHAOS is how many in each clock, BACKPLANE_CHAOS_SEED the seed. However
// the host orders them: nothing hangs, events are in order and in the record, all boards
// can be had back, and nothing is left.
func TestChaos(t *testing.T) {
	count, seed := setting(t, "BACKPLANE_CHAOS", 150), setting(t, "BACKPLANE_CHAOS_SEED", 1)
	clocks(t, func(t *testing.T, o guesttest.Options) {
		o.StallLimit = 5 * time.Second
		dir := t.TempDir()
		file := plantFiles(t, dir)
		guesttest.Init(t) // is built where it stays
		places := leavesNothing(t)
		warm := newPlant(t, file, o, filepath.Join(dir, "warm")) // what a program makes once
		if err := warm.close(); err != nil {
			t.Fatal(err)
		}
		before := places.have(t)
		p := newPlant(t, file, o, filepath.Join(dir, "out"))
		p.untilUp()
		settings := p.settings()
		p.chaos(int(count), seed)
		p.heal(settings)
		if err := p.close(); err != nil {
			t.Error(err)
		}
		p.journal.check(t, p.out)
		for _, name := range []string{"all.pcapng", "lan0.pcapng", "lan1.pcapng"} {
			t.Run(name, func(t *testing.T) { // which closes the file
				for r := openCapture(t, filepath.Join(p.out, name)); ; {
					if _, _, err := r.ReadPacketData(); err == io.EOF {
						break
					} else if err != nil {
						t.Fatal(err)
					}
				}
			})
		}
		places.same(t, before)
		t.Logf("%d faults with the seed %d: %d events in %s of the appliance's time, states %v", count, seed, p.journal.n, p.journal.last, p.journal.seen)
	})
}

// sides is how many faults can happen at once, and hangs how long one may take, in host time.
const (
	sides = 4
	hangs = 90 * time.Second
)

// chaos lets so many faults happen. Which they are depends on the seed alone, and what
// they meet on the host.
func (p *plant) chaos(count int, seed uint64) {
	p.t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	var under [sides]atomic.Pointer[string]
	for side := range sides {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := next.Add(1); i <= int64(count); i = next.Add(1) {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				time.Sleep(4 * moment(r)) // boards need some time to come up between the faults
				f := pickFault(r)
				what := fmt.Sprintf("fault %d, %s", i, f.name)
				under[side].Store(&what)
				if err := f.do(p, r); err != nil {
					p.t.Errorf("%s: %v", what, err)
				}
			}
		}()
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	for last := next.Load(); ; last = next.Load() {
		select {
		case <-over:
			return
		case <-time.After(hangs):
		}
		if next.Load() != last {
			continue
		}
		var list []string
		for i := range under {
			if what := under[i].Load(); what != nil {
				list = append(list, *what)
			}
		}
		p.hung(fmt.Sprintf("no fault has ended for %s: %s", hangs, strings.Join(list, "; ")))
	}
}

// hung ends the test program, whose cleaning up would hang as well.
func (p *plant) hung(what string) {
	for _, line := range p.journal.latest {
		what += "\n" + line
	}
	buf := make([]byte, 1<<22)
	panic(what + "\n" + string(buf[:runtime.Stack(buf, true)]))
}

// untilUp waits until all boards are.
func (p *plant) untilUp() {
	p.t.Helper()
	c, err := control.Dial(p.name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	defer p.within("all boards to be up")()
	if _, err := c.Do(control.Request{Command: "wait", Value: control.Up}, func(control.Reply) error { return nil }); err != nil {
		p.t.Fatal(err)
	}
}

// within ends the test program if what it waits for takes too long.
func (p *plant) within(what string) (done func()) {
	t := time.AfterFunc(hangs, func() { p.hung("waiting for " + what) })
	return func() { t.Stop() }
}

// settings are the networks' as they are.
func (p *plant) settings() map[string]string {
	list := make(map[string]string)
	for _, path := range p.r.Places("property") {
		if value, _, err := p.r.Get(path); err == nil && strings.HasPrefix(path, "lan") {
			list[path] = value
		}
	}
	return list
}

// heal puts all that can be mended in order, and wants each board to answer: after the
// faults it does by itself, or when it was switched off and on again.
func (p *plant) heal(settings map[string]string) {
	p.t.Helper()
	for _, link := range p.r.Places("link") {
		if err := p.ask("restore", link, ""); err != nil {
			p.t.Error(err)
		}
	}
	for _, place := range p.r.Places("plug") {
		if err := p.ask("plug", place, ""); err != nil {
			p.t.Error(err)
		}
	}
	for path, value := range settings {
		_ = p.r.Set(path, value) // counters cannot be set
	}
	for i := range plantBoards {
		b := fmt.Sprintf("b%d", i)
		done := p.within(b + " to answer")
		if p.answers(b) != nil {
			_ = p.r.PullPlug(b) // it may be off
			if err := p.r.PowerOn(b); err != nil {
				p.t.Error(err)
			}
			for state := ""; state != appliance.StateUp; time.Sleep(10 * time.Millisecond) {
				state, _ = p.r.State(b)
			}
			if err := p.answers(b); err != nil {
				state, _ := p.r.State(b)
				p.t.Errorf("%s, which is %s, does not answer: %v", b, state, err)
			}
		}
		done()
	}
}

// answers runs a program on a board.
func (p *plant) answers(board string) error {
	if state, err := p.r.State(board); err != nil || state != appliance.StateUp {
		return errors.Join(err, errors.New("it is "+state))
	}
	c, err := control.Dial(p.name)
	if err != nil {
		return err
	}
	defer c.Close()
	defer time.AfterFunc(hangs/3, func() { c.Close() }).Stop()
	var said strings.Builder
	_, err = c.Do(control.Request{Command: "exec", Path: board, Args: []string{"/bin/echo", "alive"}}, func(r control.Reply) error {
		said.Write(r.Stdout)
		return nil
	})
	if err == nil && said.String() != "alive\n" {
		err = fmt.Errorf("it says %q", said.String())
	}
	return err
}
