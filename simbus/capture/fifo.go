package capture

import (
	"io"
	"os"
	"sync"
	"time"

	"backplane/simbus/awake"
)

// FIFO is a named pipe through which readers, one after another, are handed
// what serve writes: `wireshark -k -i PATH`. It is its user's alone.
type FIFO struct {
	pipe  *Pipe
	serve func(io.Writer) (*Live, error)
	done  chan struct{}

	mu     sync.Mutex
	closed bool
	live   *Live
	w      *os.File // to the reader of the moment
}

// grace is how long, in host time, a reader may still read at the end.
const grace = time.Second

// NewFIFO makes the named pipe, unless it is there, and waits for readers. For
// each, serve begins a capture.
func NewFIFO(path string, serve func(io.Writer) (*Live, error)) (*FIFO, error) {
	p, err := MakePipe(path)
	if err != nil {
		return nil, err
	}
	f := &FIFO{pipe: p, serve: serve, done: make(chan struct{})}
	go f.run()
	return f, nil
}

func (f *FIFO) run() {
	defer close(f.done)
	for {
		w, err := f.pipe.Writer()
		if err != nil {
			return // no descriptor is free, or /proc has gone
		}
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			w.Close()
			return
		}
		live, err := f.serve(w)
		f.live, f.w = live, w
		f.mu.Unlock()
		if err != nil {
			w.Close()
			return
		}
		<-live.Done()
		live.Close()
		w.Close()
	}
}

// Close ends what a reader is handed and removes the pipe if it was made here.
func (f *FIFO) Close() error {
	f.mu.Lock()
	f.closed = true
	if f.live != nil {
		f.live.Close()
		stop := awake.AfterFunc(grace, func() { f.w.Close() }) // a reader that does not read
		<-f.live.Done()
		stop()
	}
	f.mu.Unlock()
	// Be the reader that run may be waiting for.
	if r, err := f.pipe.Reader(); err == nil {
		defer r.Close()
	}
	<-f.done
	defer f.pipe.Close()
	if !f.pipe.made {
		return nil
	}
	return f.pipe.Remove()
}
