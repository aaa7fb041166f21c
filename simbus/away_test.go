package simbus

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAway: a worker goes to a CPU of its own when its guest's turns are short, and comes
// back when they are not, to try it later.
func TestAway(t *testing.T) {
	w := newWorkers(1)[0]
	if w.away.cpu < 0 {
		t.Skip("this machine has one CPU: there is no other place")
	}
	w.away.patience = 2
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer w.pin()()
	g := &Guest{turn: new(uint32)}
	var takes atomic.Int64
	over := make(chan struct{})
	var guest sync.WaitGroup
	guest.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if atomic.LoadUint32(g.turn)&turnRun == 0 {
				runtime.Gosched()
				continue
			}
			time.Sleep(time.Duration(takes.Load()))
			if atomic.AndUint32(g.turn, ^uint32(turnRun))&turnSleep != 0 {
				futex(g.turn, futexWake, 1, 0)
			}
		}
	})
	defer guest.Wait()
	defer close(over)
	turn := func() {
		g.pass(w.away.apart)
		for !g.said() {
			w.sleep(g)
		}
	}
	until := func(apart bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); w.away.apart != apart; turn() {
			if time.Now().After(end) {
				t.Fatalf("apart is not %v within a minute", apart)
			}
		}
	}
	until(true)
	if turn(); w.away.apart && atomic.LoadUint32(g.turn)&turnLook == 0 {
		t.Error("the guest is not told that it may look for its turn")
	}
	before := w.away.patience
	takes.Store(int64(time.Millisecond))
	until(false)
	if w.away.patience != 2*before {
		t.Errorf("it is patient for %d turns after one in vain, and was for %d", w.away.patience, before)
	}
	if turn(); atomic.LoadUint32(g.turn)&turnLook != 0 {
		t.Error("the guest is told to look for its turn on the CPU that the worker needs")
	}
}
