package agent

import (
	"encoding/json"
	"errors"
	"os"
	"slices"

	"backplane/firmware/agentproto"
)

// Output is called, on the goroutine that drives the board, with what comes of a
// request; each function but Done may be nil. What is given is the callee's to keep.
type Output struct {
	Stdout, Stderr func([]byte)
	// Taken tells of so many more bytes of input that the program has been given.
	Taken func(n int)
	// Done is called last, with how it ended, or what went wrong.
	Done func(Status, error)
}

// Status is how a request ended.
type Status struct {
	Code int         // a program's exit status
	Mode os.FileMode // of the file that was read
}

// Stream is a request that is under way: a program, or a file that is written or
// read. Its methods do nothing once it has ended.
type Stream struct {
	client  *Client
	channel uint32
	window  int // of its output; 0: not bounded
	out     Output

	pending []byte // input that the agent has no room for
	closed  bool   // there is no more input than that
	told    bool   // and the agent knows
	sent    int    // bytes of input that the agent has not passed on
	owed    int    // bytes of output that nobody has taken
	over    bool
}

// Ended tells whether Done was called.
func (s *Stream) Ended() bool { return s.over }

// Write gives it input, and keeps what the agent has no room for. The caller bounds
// that by what Taken tells.
func (s *Stream) Write(p []byte) {
	if s.over || s.closed {
		return
	}
	if len(s.pending) == 0 {
		s.pending = slices.Clip(p)
	} else {
		s.pending = append(s.pending, p...)
	}
	s.flush()
}

// CloseInput ends its input.
func (s *Stream) CloseInput() {
	if s.over || s.closed {
		return
	}
	s.closed = true
	s.flush()
}

// flush sends as much input as the agent has room for.
func (s *Stream) flush() {
	for len(s.pending) > 0 && s.sent < agentproto.Window {
		n := min(len(s.pending), agentproto.Window-s.sent, agentproto.MaxPayload)
		if s.trySend(agentproto.Stdin, s.pending[:n]); s.over {
			return
		}
		s.sent += n
		s.pending = s.pending[n:]
	}
	if len(s.pending) > 0 {
		return
	}
	s.pending = nil
	if s.closed && !s.told {
		s.told = true
		s.trySend(agentproto.Stdin, nil)
	}
}

// Took lets n more bytes of output come.
func (s *Stream) Took(n int) {
	n = min(n, s.owed)
	if s.over || n <= 0 {
		return
	}
	s.owed -= n
	s.trySend(agentproto.Credit, agentproto.AppendCredit(nil, n))
}

// Resize changes the size of its terminal.
func (s *Stream) Resize(size agentproto.Size) {
	if !s.over {
		s.trySend(agentproto.Resize, size.Append(nil))
	}
}

// Kill ends it. Done is called all the same.
func (s *Stream) Kill() {
	if !s.over {
		s.trySend(agentproto.Kill, nil)
	}
}

func (s *Stream) send(t agentproto.Type, payload []byte) error {
	return s.client.send(agentproto.Frame{Type: t, Channel: s.channel, Payload: payload}.Append(nil))
}

// trySend gives the request up if the agent does not listen.
func (s *Stream) trySend(t agentproto.Type, payload []byte) {
	if err := s.send(t, payload); err != nil {
		s.end(Status{}, err)
	}
}

func (s *Stream) end(status Status, err error) {
	if s.over {
		return
	}
	done := s.out.Done
	s.over, s.pending, s.out = true, nil, Output{} // whoever keeps it keeps no more
	delete(s.client.requests, s.channel)
	done(status, err)
}

// errTooMuch says that the agent does not keep to a window.
var errTooMuch = errors.New("the board's agent sent more than it may")

// handle takes a frame from the agent. An error is the end of the agent.
func (s *Stream) handle(f agentproto.Frame) error {
	switch f.Type {
	case agentproto.Stdout, agentproto.Stderr:
		if len(f.Payload) == 0 {
			return nil // of which a guest could send any number
		}
		if s.window > 0 {
			if s.owed += len(f.Payload); s.owed > s.window {
				return errTooMuch
			}
		}
		to := s.out.Stdout
		if f.Type == agentproto.Stderr {
			to = s.out.Stderr
		}
		if to != nil {
			to(f.Payload)
		}
	case agentproto.Credit:
		n, err := agentproto.ParseCredit(f.Payload, s.sent)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil // the same
		}
		s.sent -= n
		if s.out.Taken != nil {
			s.out.Taken(n)
		}
		s.flush()
	case agentproto.Exit:
		var e agentproto.ExitStatus
		err := json.Unmarshal(f.Payload, &e)
		if err == nil && e.Error != "" {
			err = errors.New(e.Error)
		}
		s.end(Status{Code: e.Status, Mode: os.FileMode(e.Mode).Perm()}, err)
	}
	return nil
}
