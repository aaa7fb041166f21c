package simbus

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Bells is how many doorbells a guest has (UM_TIMETRAVEL_SCHEDSHM_BELLS).
const Bells = 256

// Bits of a guest's turn, a futex in the shared page by which the turn goes to
// the guest and back without a message (enum um_timetravel_schedshm_turn, of
// firmware/kernel/patches).
const (
	turnRun     = 1 // it is the guest's turn
	turnSleep   = 2 // the worker sleeps until something changes
	turnMessage = 4 // the guest has sent something on one of its sockets
)

// byTurn tells whether the guest's kernel passes turns by the futex, or by
// messages as one without our patch does.
func (g *Guest) byTurn() bool {
	return atomic.LoadUint32(g.word32(clientAt(shmGuest)+clientOffCapa))&shmCapTurn != 0
}

// look sees whether the running guest has ended its turn, or has sent messages,
// which it then hears.
func (g *Guest) look() (heard bool, err error) {
	turn := atomic.LoadUint32(g.turn)
	if turn&turnMessage != 0 {
		atomic.AndUint32(g.turn, ^uint32(turnMessage))
		g.answer() // it rang before it spoke
		err = g.d.drain()
		heard = true
	}
	if turn&turnRun == 0 && g.state == guestRunning {
		g.setRunning(shmCalendar)
		g.state = guestWaiting
		heard = true
	}
	return heard, err
}

// Answer says what to do when the guest rings a bell; nil ends that. It is done
// at the time at which the guest rang, and before its time goes on.
func (g *Guest) Answer(bell int, f func()) { g.bells[bell] = f }

// Ring rings one of the guest's bells, at the domain's present time.
func (g *Guest) Ring(bell int) {
	if g.state == guestGone {
		return
	}
	atomic.OrUint64(g.word64(clientAt(shmGuest)+clientOffCall+bell/64*8), 1<<(bell%64))
	if !g.rung {
		g.rung, g.rungAt = true, g.d.Now()
	}
	if g.state == guestRunning {
		g.stopBy(g.rungAt) // it hears when its turn begins anew
	}
}

// answer does what the guest has rung for.
func (g *Guest) answer() {
	for i := range Bells / 64 {
		word := g.word64(clientAt(shmGuest) + clientOffKick + i*8)
		if atomic.LoadUint64(word) == 0 {
			continue
		}
		for rung := atomic.SwapUint64(word, 0); rung != 0; rung &= rung - 1 {
			if f := g.bells[i*64+bits.TrailingZeros64(rung)]; f != nil {
				f()
			}
		}
	}
}

// sleep waits until the running guest has ended its turn or has sent a message,
// at most d of host time.
func (g *Guest) sleep(d time.Duration) {
	const value = turnRun | turnSleep
	if atomic.OrUint32(g.turn, turnSleep) == turnRun {
		futex(g.turn, futexWait, value, d)
	}
	atomic.AndUint32(g.turn, ^uint32(turnSleep))
}
