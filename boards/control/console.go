package control

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// console passes bytes both ways, until the client goes or its input has ended and
// was taken. The guest waits for no client: one that is too slow loses output, and is
// told how much. The client waits for the guest.
func (n *session) console(r *Request) error {
	q := &output{}
	q.filled.L = &q.mu
	in, detach, err := n.s.app.Attach(r.Path, q.add)
	if err != nil {
		return err
	}
	n.reply(Reply{})
	err = n.bothWays(func() (Reply, bool) {
		p, dropped, ok := q.next()
		return Reply{Stdout: p, Dropped: dropped}, ok
	}, func() error {
		defer q.close()
		defer detach()
		return n.typed(in)
	})
	if err == nil {
		n.reply(Reply{Done: true})
	}
	return err
}

// bothWays tells the client what next waits for, until that has an end, while input takes
// what the client sends; input is to end next.
func (n *session) bothWays(next func() (Reply, bool), input func() error) error {
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		for {
			if reply, ok := next(); !ok || !n.reply(reply) {
				return
			}
		}
	}()
	err := input()
	if err == errGone {
		n.c.Close() // which ends a reply that nobody takes
		err = nil
	}
	<-shown
	return err
}

// inputAgain is how soon input is tried again for which there was no room.
const inputAgain = 10 * time.Millisecond

// typed gives the guest what the client sends, up to its end.
func (n *session) typed(in func([]byte) (bool, error)) error {
	for {
		line, err := n.in.ReadSlice('\n')
		if err != nil {
			return errGone
		}
		var i Input
		if err := json.Unmarshal(line, &i); err != nil {
			return fmt.Errorf("invalid input: %w", err)
		}
		for taken := len(i.Data) == 0; !taken; {
			if taken, err = in(i.Data); err != nil {
				return err
			}
			if !taken {
				if !n.reply(Reply{}) {
					return errGone
				}
				time.Sleep(inputAgain)
			}
		}
		if i.End {
			return nil
		}
	}
}

// outputLimit is how much of a console's output is kept for a client that is behind,
// in bytes.
const outputLimit = 4 << 20

// output is what a console's client has not had yet. Once something is dropped, all is
// until the client has had what was before it: so that there is one hole.
type output struct {
	mu      sync.Mutex
	filled  sync.Cond
	buf     []byte
	dropped int
	closed  bool
}

// add is called on the board's goroutine, and never waits.
func (q *output) add(p []byte) {
	q.mu.Lock()
	if q.dropped > 0 || len(q.buf)+len(p) > outputLimit {
		q.dropped += len(p)
	} else {
		q.buf = append(q.buf, p...)
	}
	q.filled.Signal()
	q.mu.Unlock()
}

// next waits for output, or for the end, before which all that is there goes out.
func (q *output) next() (p []byte, dropped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) == 0 && q.dropped == 0 && !q.closed {
		q.filled.Wait()
	}
	n := min(len(q.buf), MaxInput)
	p, q.buf = q.buf[:n:n], q.buf[n:]
	if len(q.buf) == 0 {
		dropped, q.dropped, q.buf = q.dropped, 0, nil
	}
	return p, dropped, n > 0 || dropped > 0
}

func (q *output) close() {
	q.mu.Lock()
	q.closed = true
	q.filled.Signal()
	q.mu.Unlock()
}
