// Package agent is the simulator's end of a board's agent: it runs programs in
// the guest, moves files, and powers the board off in order.
package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"backplane/firmware/agentproto"
)

// ErrNotReady says that the board's agent has not reported yet, or is gone.
var ErrNotReady = errors.New("the agent is not running")

// Client talks to one board's agent. All its methods, and the calls that it
// makes, are on the goroutine that drives the board.
type Client struct {
	// OnHello is called when the agent is ready.
	OnHello func()

	send     func([]byte) error
	decoder  agentproto.Decoder
	ready    bool
	broken   error
	next     uint32
	requests map[uint32]*request
}

type request struct {
	stdout, stderr func([]byte)
	done           func(status int, err error)
}

// New makes a client that sends its bytes with send.
func New(send func([]byte) error) *Client {
	return &Client{send: send, requests: make(map[uint32]*request)}
}

// Ready tells whether the agent has reported.
func (c *Client) Ready() bool { return c.ready && c.broken == nil }

// Receive takes bytes from the agent.
func (c *Client) Receive(p []byte) {
	if c.broken != nil {
		return
	}
	if err := c.decoder.Feed(p, c.handle); err != nil {
		c.broken = err
		c.abandon(err)
	}
}

// Gone ends all requests: the board is off.
func (c *Client) Gone() {
	c.ready, c.broken, c.decoder = false, nil, agentproto.Decoder{}
	c.abandon(errors.New("the board went off meanwhile"))
}

func (c *Client) abandon(err error) {
	for id := range c.next + 1 { // in order, so that what follows is repeatable
		if r := c.requests[id]; r != nil {
			delete(c.requests, id)
			r.done(0, err)
		}
	}
}

func (c *Client) handle(f agentproto.Frame) {
	if f.Type == agentproto.Hello {
		c.ready = true
		if c.OnHello != nil {
			c.OnHello()
		}
		return
	}
	r := c.requests[f.Channel]
	if r == nil {
		return // it was cancelled
	}
	switch f.Type {
	case agentproto.Stdout:
		if r.stdout != nil {
			r.stdout(f.Payload)
		}
	case agentproto.Stderr:
		if r.stderr != nil {
			r.stderr(f.Payload)
		}
	case agentproto.Exit:
		delete(c.requests, f.Channel)
		var s agentproto.ExitStatus
		err := json.Unmarshal(f.Payload, &s)
		if err == nil && s.Error != "" {
			err = errors.New(s.Error)
		}
		r.done(s.Status, err)
	}
}

// begin sends a request and its input.
func (c *Client) begin(t agentproto.Type, body any, stdin []byte, r *request) (channel uint32, err error) {
	if !c.Ready() {
		return 0, ErrNotReady
	}
	b, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	if len(b) > agentproto.MaxPayload {
		return 0, fmt.Errorf("the request is %d bytes long, and must be at most %d", len(b), agentproto.MaxPayload)
	}
	c.next++
	channel = c.next
	out := agentproto.Frame{Type: t, Channel: channel, Payload: b}.Append(nil)
	if t != agentproto.Get {
		for len(stdin) > 0 {
			n := min(len(stdin), agentproto.MaxPayload)
			out = agentproto.Frame{Type: agentproto.Stdin, Channel: channel, Payload: stdin[:n]}.Append(out)
			stdin = stdin[n:]
		}
		out = agentproto.Frame{Type: agentproto.Stdin, Channel: channel}.Append(out)
	}
	if err := c.send(out); err != nil {
		return 0, err
	}
	c.requests[channel] = r
	return channel, nil
}

// Exec runs a program. stdout and stderr, which may be nil, are called with its
// output, done when it has ended, with its exit status or what went wrong.
// cancel ends it; done is called all the same.
func (c *Client) Exec(args []string, stdin []byte, stdout, stderr func([]byte), done func(status int, err error)) (cancel func(), err error) {
	if len(args) == 0 {
		return nil, errors.New("no command to run")
	}
	channel, err := c.begin(agentproto.Exec, agentproto.ExecRequest{Args: args}, stdin, &request{stdout, stderr, done})
	if err != nil {
		return nil, err
	}
	return func() {
		if c.requests[channel] != nil {
			_ = c.send(agentproto.Frame{Type: agentproto.Kill, Channel: channel}.Append(nil)) // if it is lost, so is the agent
		}
	}, nil
}

// Put writes a file in the guest.
func (c *Client) Put(path string, data []byte, mode os.FileMode, done func(error)) error {
	_, err := c.begin(agentproto.Put, agentproto.FileRequest{Path: path, Mode: uint32(mode.Perm())}, data,
		&request{done: func(_ int, err error) { done(err) }})
	return err
}

// Get reads a file in the guest.
func (c *Client) Get(path string, done func(data []byte, err error)) error {
	var data []byte
	_, err := c.begin(agentproto.Get, agentproto.FileRequest{Path: path}, nil,
		&request{stdout: func(p []byte) { data = append(data, p...) }, done: func(_ int, err error) { done(data, err) }})
	return err
}

// PowerOff asks the board to shut down; the end of its kernel shows that it has.
func (c *Client) PowerOff() error {
	if !c.Ready() {
		return ErrNotReady
	}
	return c.send(agentproto.Frame{Type: agentproto.PowerOff}.Append(nil))
}
