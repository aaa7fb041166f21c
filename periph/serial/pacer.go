package serial

import (
	"time"

	"backplane/simbus"
)

// A piece is what goes over a line as one event: what a 16550's FIFO holds, or
// on a fast line as much as goes over in pieceTime.
const (
	pieceBytes = 16
	pieceTime  = time.Millisecond
)

// pacer is one direction of a serial line: what is put into it comes out piece
// by piece, each with the time at which its last bit has gone over.
type pacer struct {
	clock    simbus.Clock
	charTime func(n int) time.Duration      // how long n characters take
	begin    func(p []byte, at simbus.Time) // if set: a piece begins to go over, until at; p is the callee's to keep
	end      func(p []byte)                 // a piece has gone over; it is that of begin

	queue []byte // from head on has not begun to go over
	head  int
	piece []byte        // under way
	next  *simbus.Timer // when it has gone over; nil when idle
	gone  func()        // what next calls: made once
	// The time of a piece is counted from where the line last was idle, so that
	// no rounding adds up.
	began simbus.Time
	chars int
}

func newPacer(clock simbus.Clock, charTime func(int) time.Duration, begin func([]byte, simbus.Time), end func([]byte)) *pacer {
	l := &pacer{clock: clock, charTime: charTime, begin: begin, end: end}
	l.gone = func() {
		p := l.piece
		l.next, l.piece = nil, nil
		l.start() // first, so that what end puts in follows without a gap
		l.end(p)
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
		l.began, l.chars = l.clock.Now(), 0
		l.start()
	}
}

// waiting is how many bytes have not begun to go over.
func (l *pacer) waiting() int { return len(l.queue) - l.head }

func (l *pacer) start() {
	if l.waiting() == 0 {
		l.queue, l.head = l.queue[:0], 0
		return
	}
	n := pieceBytes
	if perChar := l.charTime(1); perChar > 0 {
		n = max(n, int(pieceTime/perChar))
	}
	n = min(n, l.waiting())
	l.piece = append([]byte(nil), l.queue[l.head:l.head+n]...)
	l.head += n
	l.chars += n
	at := l.began.Add(l.charTime(l.chars))
	l.next = l.clock.At(at, l.gone)
	if l.begin != nil {
		l.begin(l.piece, at)
	}
}

// discard forgets what has not begun to go over.
func (l *pacer) discard() { l.queue, l.head = nil, 0 }
