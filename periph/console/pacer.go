package console

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
	charTime func(n int) time.Duration // how long n characters take
	out      func(p []byte, at simbus.Time)
	drained  func() // called after a piece has gone over

	queue []byte
	next  *simbus.Timer // when the piece under way has gone over; nil when idle
	// The time of a piece is counted from where the line last was idle, so that
	// no rounding adds up.
	began simbus.Time
	chars int
}

func (l *pacer) put(p []byte) {
	l.queue = append(l.queue, p...)
	if l.next == nil {
		l.began, l.chars = l.clock.Now(), 0
		l.start()
	}
}

// waiting is how many bytes have not begun to go over.
func (l *pacer) waiting() int { return len(l.queue) }

func (l *pacer) start() {
	if len(l.queue) == 0 {
		l.queue = nil // or its array would grow for ever
		return
	}
	n := pieceBytes
	if perChar := l.charTime(1); perChar > 0 {
		n = max(n, int(pieceTime/perChar))
	}
	n = min(n, len(l.queue))
	piece := append([]byte(nil), l.queue[:n]...) // the receiver's to keep
	l.queue = l.queue[n:]
	l.chars += n
	at := l.began.Add(l.charTime(l.chars))
	l.next = l.clock.At(at, l.gone)
	l.out(piece, at)
}

// gone is called when a piece has gone over.
func (l *pacer) gone() {
	l.next = nil
	l.start()
	if l.drained != nil {
		l.drained()
	}
}

// discard forgets what has not begun to go over.
func (l *pacer) discard() { l.queue = nil }
