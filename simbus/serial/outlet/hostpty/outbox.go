package hostpty

import "sync"

const (
	// maxData is how much waits for a program that does not read, beside what the kernel
	// keeps; the rest is lost, as a UART loses it.
	maxData = 1 << 16
	// With hardware flow control RTS goes when so much waits, and comes back.
	rtsOff = 4096
	rtsOn  = 1024
)

// outbox is what a program has not had yet.
type outbox struct {
	mu   sync.Mutex
	buf  []byte
	open bool // there is a program
}

// add adds what fits, for the program that there is, and tells whether it was the first.
func (o *outbox) add(p []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open {
		return false
	}
	first := len(o.buf) == 0
	o.buf = append(o.buf, p[:min(len(p), maxData-len(o.buf))]...)
	return first
}

// set drops what is there, and says whether there is a program.
func (o *outbox) set(open bool) {
	o.mu.Lock()
	o.buf, o.open = nil, open
	o.mu.Unlock()
}

// forget drops what is there.
func (o *outbox) forget() {
	o.mu.Lock()
	o.buf = nil
	o.mu.Unlock()
}

func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf)
}

// give gives write what is there; it returns how much it took.
func (o *outbox) give(write func([]byte) int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := write(o.buf); n > 0 {
		o.buf = o.buf[n:]
	}
}
