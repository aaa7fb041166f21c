package simbus

import (
	"time"

	"golang.org/x/sys/unix"
)

// away is the other place where a worker can be. With its guests on one CPU of the host it
// has to sleep for them to run, and they for it, which takes some microseconds each way.
// On one of its own both look for the other instead, which takes a fraction of one. That
// pays where they pass the turn all the time, and where no one else wants that CPU. So
// it is tried when turns have been short for a while, and ended when it does not pay; each
// time that it does not it is tried later.
type away struct {
	cpu      int // which no other worker has, -1 for none
	apart    bool
	short    int // together: how many turns in a row were short; apart: how many paid
	missed   int // apart: how many in a row did not
	patience int // how many must be short
}

const (
	patience     = 500
	mostPatience = 1 << 20
	mostMissed   = 4
	// A turn is short that takes less than a guest's kernel looks for its next
	// (TURN_LOOK_NSECS, arch/um/kernel/time.c).
	shortTurn = 20 * time.Microsecond
)

// place is the CPU on which the worker is to be.
func (w *worker) place() int {
	if w.away.apart {
		return w.away.cpu
	}
	return w.cpu
}

// sit keeps the calling thread there.
func (w *worker) sit() error {
	var one unix.CPUSet
	one.Set(w.place())
	return unix.SchedSetaffinity(0, &one)
}

// sleep waits until a guest has said something, or for a while. It is the last one that
// got the turn.
func (w *worker) sleep(g *Guest) {
	a := &w.away
	if a.cpu < 0 {
		g.sleep(glance)
		return
	}
	begin := time.Now()
	if !a.apart {
		g.sleep(glance)
		if time.Since(begin) > shortTurn {
			a.short = 0
		} else if a.short++; a.short > a.patience {
			w.move(true)
		}
		return
	}
	said, took := g.said(), time.Duration(0)
	for i := 1; !said && took < shortTurn; i++ {
		if said = g.said(); i%64 == 0 {
			took = time.Since(begin)
		}
	}
	if !said {
		g.sleep(glance)
	}
	// It may have taken long for somebody else had this CPU.
	if said && time.Since(begin) < 2*shortTurn {
		a.missed = 0
		if a.short++; a.short > patience {
			a.patience = patience
		}
	} else if a.missed++; a.missed == mostMissed {
		a.patience = min(2*a.patience, mostPatience)
		w.move(false)
	}
}

// move takes the worker's thread to its other place.
func (w *worker) move(apart bool) {
	w.away.apart, w.away.short, w.away.missed = apart, 0, 0
	if w.sit() != nil {
		w.away.apart, w.away.cpu = false, -1
	}
}
