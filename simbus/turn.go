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
	turnRun     = 1  // it is the guest's turn
	turnSleep   = 2  // the worker sleeps until something changes
	turnMessage = 4  // the guest has sent something on one of its sockets
	turnLook    = 8  // the worker is on a CPU of its own, and the guest may look for its next turn before it sleeps
	turnAwake   = 16 // the guest does, and need not be woken
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

// pass gives the guest the turn. look tells whether it will not be long until it has the
// next, and whether it can look for that without being in the way.
func (g *Guest) pass(look bool) {
	if look {
		atomic.OrUint32(g.turn, turnLook)
	} else if atomic.LoadUint32(g.turn)&turnLook != 0 {
		atomic.AndUint32(g.turn, ^uint32(turnLook))
	}
	if atomic.OrUint32(g.turn, turnRun)&turnAwake == 0 {
		futex(g.turn, futexWake, 1, 0)
	}
}

// said tells whether the running guest has ended its turn, or has sent messages.
func (g *Guest) said() bool { return atomic.LoadUint32(g.turn)&(turnRun|turnMessage) != turnRun }

// sleep waits until the running guest has ended its turn or has sent a message,
// at most d of host time.
func (g *Guest) sleep(d time.Duration) {
	if turn := atomic.OrUint32(g.turn, turnSleep); turn&(turnRun|turnMessage) == turnRun {
		futex(g.turn, futexWait, turn|turnSleep, d)
	}
	atomic.AndUint32(g.turn, ^uint32(turnSleep))
}
