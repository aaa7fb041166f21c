package capture

import (
	"io"
	"sync"
)

// liveLimit is how much a live capture keeps for a reader that is behind, in
// bytes, before it drops frames: some seconds of what one can read at leisure.
const liveLimit = 4 << 20

// Live is a capture for a reader that may be slow. Frames never wait for it:
// what it is too slow for is dropped, and the next frame that is not says how
// much that was, in the file's own count (epb_dropcount) and in words.
type Live struct {
	c    *Capture
	done chan struct{}

	mu     sync.Mutex
	filled sync.Cond
	queue  []byte
	closed bool
	err    error
}

// NewLive begins a live capture into w, which only the Live's own goroutine writes to.
func NewLive(w io.Writer, cfg Config, at []Place) (*Live, error) {
	l := &Live{done: make(chan struct{})}
	l.filled.L = &l.mu
	var err error
	if l.c, err = newCapture((*liveQueue)(l), cfg, at, l.room); err != nil {
		return nil, err
	}
	l.c.Flush() // the reader shows the interfaces at once
	go l.pass(w)
	return l, nil
}

// Done is closed when the reader has gone, or after Close has let it have all.
func (l *Live) Done() <-chan struct{} { return l.done }

// Close ends the capture. What the reader has not had yet still goes out, until
// Done; closing the writer ends that early.
func (l *Live) Close() {
	_ = l.c.Close()
	l.mu.Lock()
	l.closed = true
	l.filled.Signal()
	l.mu.Unlock()
}

func (l *Live) room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) < liveLimit
}

// liveQueue is the Live as the capture writes to it.
type liveQueue Live

func (q *liveQueue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0, q.err
	}
	q.queue = append(q.queue, p...)
	q.filled.Signal()
	return len(p), nil
}

// pass writes out what is queued, until the reader has gone or the capture ends.
func (l *Live) pass(w io.Writer) {
	defer close(l.done)
	var out []byte
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.closed {
			l.filled.Wait()
		}
		out, l.queue = l.queue, out[:0]
		l.mu.Unlock()
		if len(out) == 0 {
			return
		}
		if _, err := w.Write(out); err != nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return
		}
	}
}
