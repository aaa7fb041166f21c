package control

import (
	"encoding/json"
	"fmt"
	"sync"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// serial gives the client the other end of a port's line: it says what it does, act by act,
// and is told what arrives. It has what the port is set to in its first answer.
func (n *session) serial(r *Request) error {
	told := &told{}
	told.filled.L = &told.mu
	line, set, err := n.s.app.Outlet(r.Path, told)
	if err != nil {
		return err
	}
	n.reply(Reply{Act: set.String()})
	return n.bothWays(told.next, func() error {
		defer told.close()
		return n.acts(line)
	})
}

// acts does what the client says, until it goes. What it has left open is closed.
func (n *session) acts(line outlet.Line) (err error) {
	open := false
	defer func() {
		if open {
			_ = line.Do(outlet.Act{Do: outlet.Close})
		}
	}()
	for {
		text, err := n.in.ReadSlice('\n')
		if err != nil {
			return errGone
		}
		var i Input
		if err := json.Unmarshal(text, &i); err != nil {
			return fmt.Errorf("invalid input: %w", err)
		}
		a, err := outlet.ParseAct(i.Act, i.Data)
		if err == nil {
			err = line.Do(a)
		}
		if err != nil {
			return err
		}
		open = a.Do != outlet.Close && (open || a.Do == outlet.Open)
	}
}

// told is what a client at a line has not been told yet. The line waits for no client: one
// that is too slow loses bytes.
type told struct {
	mu     sync.Mutex
	filled sync.Cond
	pieces []piece
	bytes  int
	lines  *serial.Lines // if they are others
	sent   int
	closed bool
}

// piece are bytes that arrived, of which only the last can have flags.
type piece struct {
	data  []byte
	flags serial.Flags
}

// lineLimit is how much of what has arrived is kept for a client that is behind, in bytes.
const lineLimit = 1 << 20

// Receive is told of bytes.
func (t *told) Receive(p []byte, flags serial.Flags) {
	t.change(func() {
		if t.bytes+len(p) > lineLimit {
			return
		}
		t.bytes += len(p)
		if last := len(t.pieces) - 1; last >= 0 && t.pieces[last].flags == 0 && len(t.pieces[last].data)+len(p) <= MaxInput {
			t.pieces[last] = piece{append(t.pieces[last].data, p...), flags}
			return
		}
		t.pieces = append(t.pieces, piece{append([]byte(nil), p...), flags})
	})
}

// Lines is told which inputs are active.
func (t *told) Lines(now serial.Lines) { t.change(func() { t.lines = &now }) }

// Sent is told how many bytes have gone.
func (t *told) Sent(n int) { t.change(func() { t.sent += n }) }

func (t *told) close() { t.change(func() { t.closed = true }) }

func (t *told) change(f func()) {
	t.mu.Lock()
	f()
	t.filled.Signal()
	t.mu.Unlock()
}

// next waits for something to tell; false at the end.
func (t *told) next() (r Reply, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.pieces) == 0 && t.lines == nil && t.sent == 0 && !t.closed {
		t.filled.Wait()
	}
	if t.closed {
		return r, false
	}
	if len(t.pieces) > 0 {
		r.Stdout, r.Flags = t.pieces[0].data, t.pieces[0].flags
		t.pieces, t.bytes = t.pieces[1:], t.bytes-len(r.Stdout)
	}
	r.Lines, r.Taken = t.lines, t.sent
	t.lines, t.sent = nil, 0
	return r, true
}
