package rfc2217

import "sync"

// What waits for a client that does not read, in bytes as they are sent.
const (
	maxData   = 1 << 20 // what arrives over the line beyond that is lost
	maxAnswer = 1 << 16 // a client that has more answers made is left
)

// outbox is what a client has not had yet: answers, and what arrived over the line.
type outbox struct {
	leave func() // is called when the client is to be left

	mu     sync.Mutex
	filled sync.Cond
	buf    []byte
	data   int    // bytes of buf that arrived over the line
	held   bool   // the client wants no data now
	kept   []byte // data that is held back, not escaped
	closed bool
}

func newOutbox(leave func()) *outbox {
	o := &outbox{leave: leave}
	o.filled.L = &o.mu
	return o
}

// addData adds bytes that came over the line; false if there is no room.
func (o *outbox) addData(p []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.kept)+o.data+len(p) > maxData:
		return false
	case o.held:
		o.kept = append(o.kept, p...)
	default:
		o.put(p)
	}
	return true
}

func (o *outbox) put(p []byte) {
	before := len(o.buf)
	o.buf = escaped(o.buf, p)
	o.data += len(o.buf) - before
	o.filled.Signal()
}

// hold keeps data back, or lets it go.
func (o *outbox) hold(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held = on; !on {
		o.put(o.kept)
		o.kept = nil
	}
}

// forget drops data that is held back. Other data is before the answer to a purge, and so
// for the client to drop.
func (o *outbox) forget() {
	o.mu.Lock()
	o.kept = nil
	o.mu.Unlock()
}

// answer adds what is no data.
func (o *outbox) answer(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
	case len(o.buf)-o.data+len(p) > maxAnswer:
		o.closed = true
		o.leave()
	default:
		o.buf = append(o.buf, p...)
	}
	o.filled.Signal()
}

// waiting is how much data the client has not taken.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.kept) + o.data
}

// next waits for what is to be sent; nil at the end.
func (o *outbox) next() (p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) == 0 && !o.closed {
		o.filled.Wait()
	}
	if !o.closed {
		p, o.buf, o.data = o.buf, nil, 0
	}
	return p
}

// end drops what is there.
func (o *outbox) end() {
	o.mu.Lock()
	o.closed = true
	o.filled.Signal()
	o.mu.Unlock()
}
