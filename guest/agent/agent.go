// Package agent is the simulator's end of a board's agent: it runs programs in
// the guest, moves files, and powers the board off in order.
package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"backplane/firmware/agentproto"
	"backplane/firmware/config"
)

// ErrNotReady says that the board's agent has not reported yet, or is gone.
var ErrNotReady = errors.New("the agent is not running")

// Client talks to one board's agent. All its methods, and the calls that it
// makes, are on the goroutine that drives the board.
type Client struct {
	// OnHello is called when the agent is ready.
	OnHello func()
	// OnFailure, if set, is told before that what init could not do of what the board
	// file says. The guest writes the text.
	OnFailure func(what string)
	// OnCPUs, if set, is told how many CPUs are online when that changes, and before OnHello
	// on a board with several. The guest says the number.
	OnCPUs func(online int)

	send     func([]byte) error
	decoder  agentproto.Decoder
	ready    bool
	broken   error
	failures int // since the board was switched on
	next     uint32
	requests map[uint32]*Stream
}

// New makes a client that sends its bytes with send.
func New(send func([]byte) error) *Client {
	return &Client{send: send, requests: make(map[uint32]*Stream)}
}

// Ready tells whether the agent has reported.
func (c *Client) Ready() bool { return c.ready && c.broken == nil }

// Receive takes bytes from the agent.
func (c *Client) Receive(p []byte) {
	if c.broken != nil {
		return
	}
	err := c.decoder.Feed(p, func(f agentproto.Frame) {
		if c.broken == nil {
			c.broken = c.handle(f)
		}
	})
	if c.broken == nil {
		c.broken = err
	}
	if c.broken != nil {
		c.abandon(c.broken)
	}
}

// Gone ends all requests: the board is off.
func (c *Client) Gone() {
	c.ready, c.broken, c.failures, c.decoder = false, nil, 0, agentproto.Decoder{}
	c.abandon(errors.New("the board went off meanwhile"))
}

func (c *Client) abandon(err error) {
	for _, id := range slices.Sorted(maps.Keys(c.requests)) { // in order, so that what follows is repeatable
		c.requests[id].end(Status{}, err)
	}
}

func (c *Client) handle(f agentproto.Frame) error {
	if f.Type == agentproto.Hello {
		if string(f.Payload) != agentproto.Version {
			return fmt.Errorf("the board's agent has version %q; it must have version %q", f.Payload, agentproto.Version)
		}
		if c.ready {
			return nil // it has been heard
		}
		c.ready = true
		if c.OnHello != nil {
			c.OnHello()
		}
		return nil
	}
	if f.Type == agentproto.Failure {
		if c.failures++; c.failures > maxFailures {
			return fmt.Errorf("the board's agent has reported more than %d failures", maxFailures)
		}
		if c.OnFailure != nil {
			c.OnFailure(string(f.Payload))
		}
		return nil
	}
	if f.Type == agentproto.CPUs {
		var n agentproto.CPUCount
		if err := json.Unmarshal(f.Payload, &n); err != nil {
			return fmt.Errorf("the board's agent tells of its CPUs: %w", err)
		}
		if c.OnCPUs != nil {
			c.OnCPUs(n.Online)
		}
		return nil
	}
	if s := c.requests[f.Channel]; s != nil {
		return s.handle(f)
	}
	return nil // it was given up
}

// maxFailures is how much of a board file init may have failed at.
const maxFailures = 256

// begin sends a request.
func (c *Client) begin(t agentproto.Type, body any, window int, o Output) (*Stream, error) {
	if !c.Ready() {
		if c.broken != nil {
			return nil, c.broken
		}
		return nil, ErrNotReady
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if len(b) > agentproto.MaxPayload {
		return nil, tooLong(len(b))
	}
	c.next++
	s := &Stream{client: c, channel: c.next, window: window, out: o}
	if err := s.send(t, b); err != nil {
		return nil, err
	}
	c.requests[s.channel] = s
	return s, nil
}

func tooLong(n int) error {
	return fmt.Errorf("the command with its arguments is %d bytes long; a board's agent takes at most %d: pass more on standard input, or in a file", n, agentproto.MaxPayload)
}

// Fits says what is wrong with a program's arguments that are too long.
func Fits(r agentproto.ExecRequest) error {
	b, err := json.Marshal(r)
	if err == nil && len(b) > agentproto.MaxPayload {
		return tooLong(len(b))
	}
	return err
}

// Exec runs a program; its status is the program's exit status.
func (c *Client) Exec(r agentproto.ExecRequest, o Output) (*Stream, error) {
	if len(r.Args) == 0 {
		return nil, errors.New("no command to run")
	}
	return c.begin(agentproto.Exec, r, r.Window, o)
}

// Put writes a file in the guest: the stream's input.
func (c *Client) Put(path string, mode os.FileMode, o Output) (*Stream, error) {
	return c.begin(agentproto.Put, agentproto.FileRequest{Path: path, Mode: uint32(mode.Perm())}, 0, o)
}

// Get reads a file in the guest: the stream's output.
func (c *Client) Get(path string, window int, o Output) (*Stream, error) {
	return c.begin(agentproto.Get, agentproto.FileRequest{Path: path, Window: window}, window, o)
}

// SetCPUs takes CPUs offline, or online, until so many are. What is asked for next is done
// when they are.
func (c *Client) SetCPUs(online int, o Output) (*Stream, error) {
	return c.begin(agentproto.CPUs, agentproto.CPUCount{Online: online}, 0, o)
}

// Plugged tells init of controllers that its board's file does not have.
func (c *Client) Plugged(what *config.Board) error {
	if !c.Ready() {
		return ErrNotReady
	}
	b, err := json.Marshal(what)
	switch {
	case err != nil:
		return err
	case len(b) > agentproto.MaxPayload:
		return fmt.Errorf("what init has to know of it is %d bytes long; it may be %d", len(b), agentproto.MaxPayload)
	}
	return c.send(agentproto.Frame{Type: agentproto.Plugged, Payload: b}.Append(nil))
}

// PowerOff asks the board to shut down; the end of its kernel shows that it has.
func (c *Client) PowerOff() error {
	if !c.Ready() {
		return ErrNotReady
	}
	return c.send(agentproto.Frame{Type: agentproto.PowerOff}.Append(nil))
}
