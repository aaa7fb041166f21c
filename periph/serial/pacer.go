package serial

import (
	"time"

	"backplane/simbus"
)

// A piece is what arrives as one event: what a 16550's FIFO holds, or on a fast line as much
// as goes over in pieceTime.
const (
	pieceBytes = 16
	pieceTime  = time.Millisecond
)

// pacer is what a terminal sends: what is put into it comes out piece by piece, each at the
// time at which its last bit has gone over a line.
type pacer struct {
	clock    simbus.Clock
	charTime func(n int) time.Duration      // how long n characters take
	end      func(p []byte, at simbus.Time) // a piece has gone over; it is the callee's to change
	queue    []byte                         // from head on has not begun to go over
	head     int
	piece    []byte        // under way
	next     *simbus.Timer // when it has gone over; nil when idle
	gone     func()        // what next calls: made once
	at       simbus.Time   // when that is
	// The time of a piece is counted from where the line last was idle or had another
	// rate, so that no rounding adds up.
	began simbus.Time
	chars int
	char  time.Duration
}

func newPacer(clock simbus.Clock, charTime func(int) time.Duration, end func([]byte, simbus.Time)) *pacer {
	l := &pacer{clock: clock, charTime: charTime, end: end}
	l.gone = func() {
		p, at := l.piece, l.at
		l.next, l.piece = nil, nil
		l.start(at)
		l.end(p, at)
	}
	return l
}

func (l *pacer) put(p []byte) {
	if l.head > len(l.queue)/2 {
		l.queue = append(l.queue[:0], l.queue[l.head:]...)
		l.head = 0
	}
	l.queue = append(l.queue, p...)
	if l.next == nil {
		l.chars = 0
		l.start(l.clock.Now())
	}
}

// waiting is how many bytes have not begun to go over.
func (l *pacer) waiting() int { return len(l.queue) - l.head }

// start begins with the next piece, at a time.
func (l *pacer) start(at simbus.Time) {
	if l.waiting() == 0 {
		l.queue, l.head = l.queue[:0], 0
		return
	}
	char := l.charTime(1)
	if l.chars == 0 || char != l.char {
		l.began, l.chars, l.char = at, 0, char
	}
	n := pieceBytes
	if char > 0 {
		n = max(n, int(pieceTime/char))
	}
	n = min(n, l.waiting())
	l.piece = append([]byte(nil), l.queue[l.head:l.head+n]...)
	l.head += n
	l.chars += n
	l.at = l.began.Add(l.charTime(l.chars))
	l.next = l.clock.At(l.at, l.gone)
}

// discard forgets all.
func (l *pacer) discard() {
	l.next.Stop()
	l.next, l.piece, l.queue, l.head = nil, nil, nil, 0
}
