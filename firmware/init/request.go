package main

import (
	"errors"
	"io"
	"os"
	"sync"

	"backplane/firmware/agentproto"
)

// request is one that is under way: what of its input waits, and what of its
// output may still be sent.
type request struct {
	agent   *agent
	channel uint32
	kill    func()
	tty     *os.File // its terminal's other end, nil if it has none

	mu      sync.Mutex
	changed sync.Cond // something below has
	input   []byte
	ended   bool // there is no more input than that
	taken   int  // bytes of input that no credit was given for yet
	bounded bool // output is
	room    int  // for so many bytes, if it is
	gone    bool // it has ended, or is to end
}

// errGone is what a request's input ends with that is given up.
var errGone = errors.New("given up")

// open notes a request. Its output is not bounded if window is 0.
func (a *agent) open(channel uint32, window int) *request {
	r := &request{agent: a, channel: channel, bounded: window > 0, room: window}
	r.changed.L, r.kill = &r.mu, r.end
	a.mu.Lock()
	a.requests[channel] = r
	a.mu.Unlock()
	return r
}

// end lets nobody wait for it any more.
func (r *request) end() {
	r.mu.Lock()
	r.gone = true
	r.changed.Broadcast()
	r.mu.Unlock()
}

// give takes a frame's input, which is empty at its end. It never waits.
func (r *request) give(p []byte) {
	r.mu.Lock()
	r.input = append(r.input, p...)
	r.ended = r.ended || len(p) == 0
	r.changed.Broadcast()
	r.mu.Unlock()
}

// Read reads input, and gives credit for what was read before.
func (r *request) Read(p []byte) (int, error) {
	r.mu.Lock()
	credit := 0
	if r.taken >= agentproto.Window/4 {
		credit, r.taken = r.taken, 0
	}
	r.mu.Unlock()
	if credit > 0 {
		r.agent.send(agentproto.Credit, r.channel, agentproto.AppendCredit(nil, credit))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.input) == 0 && !r.ended && !r.gone {
		r.changed.Wait()
	}
	if r.gone {
		return 0, errGone
	}
	if len(r.input) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.input)
	if r.input = r.input[n:]; len(r.input) == 0 {
		r.input = nil
	}
	r.taken += n
	return n, nil
}

// credit lets n more bytes of output be sent.
func (r *request) credit(n int) {
	r.mu.Lock()
	r.room += n
	r.changed.Broadcast()
	r.mu.Unlock()
}

// reserve waits until there is room for output, and takes up to n bytes of it; 0
// if the request is over.
func (r *request) reserve(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.bounded && r.room <= 0 && !r.gone {
		r.changed.Wait()
	}
	switch {
	case r.gone:
		return 0
	case r.bounded:
		n = min(n, r.room)
		r.room -= n
	}
	return n
}

// copy sends what it reads, as fast as that is taken.
func (r *request) copy(t agentproto.Type, from io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			k := r.reserve(len(p))
			if k == 0 {
				return errGone
			}
			r.agent.send(t, r.channel, p[:k])
			p = p[k:]
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
