package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"backplane/periph"
)

// Conn is a client's connection: one command.
type Conn struct {
	c    net.Conn
	in   *bufio.Reader
	path string // of the socket
}

// Dial reaches the appliance of that name, or the only one there is if name is empty.
func Dial(name string) (*Conn, error) {
	if name == "" {
		names, err := Running()
		if err != nil {
			return nil, err
		}
		switch len(names) {
		case 0:
			return nil, errors.New("no appliance is running: 'backplane up FILE' starts one")
		case 1:
			name = names[0]
		default:
			return nil, fmt.Errorf("several appliances are running (%s): choose one with --name", strings.Join(names, ", "))
		}
	}
	path, err := Path(name)
	if err != nil {
		return nil, err
	}
	c, err := connect(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("no appliance named %s is running%s", name, others(name))
	case err != nil && !held(path):
		return nil, fmt.Errorf("no appliance named %s is running: it was killed", name)
	case err != nil:
		return nil, fmt.Errorf("reach the appliance %s: %w", name, err)
	}
	return &Conn{c: c, in: bufio.NewReader(c), path: path}, nil
}

// connect reaches a socket. Where more clients wait there than the host lets wait
// (listen(2)), it is one of them all the same, for a time.
func connect(socket string) (c net.Conn, err error) {
	for begun := time.Now(); ; time.Sleep(connectAgain) {
		err = reach(socket, func(address string) error {
			c, err = net.Dial("unix", address)
			return err
		})
		if !errors.Is(err, syscall.EAGAIN) || time.Since(begun) > patience {
			return c, err
		}
	}
}

const (
	// connectAgain is how soon a client tries again where there are too many.
	connectAgain = 5 * time.Millisecond
	// patience is how long it does.
	patience = 10 * time.Second
)

// others says which appliances are running instead of one.
func others(name string) string {
	names, err := Running()
	if err != nil || len(names) == 0 {
		return ", and no other"
	}
	return periph.Suggest(name, names)
}

// Do sends the command and calls each with every answer but the last, which it returns.
func (c *Conn) Do(r Request, each func(Reply) error) (Reply, error) {
	if err := c.Send(r); err != nil {
		return Reply{}, err
	}
	for {
		reply, err := c.Next()
		if err != nil || reply.Done {
			return reply, err
		}
		if err := each(reply); err != nil {
			return Reply{}, err
		}
	}
}

// Send sends the command.
func (c *Conn) Send(r Request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(b) >= maxRequest {
		return fmt.Errorf("the request is %d bytes long; it must be shorter than %d", len(b), maxRequest)
	}
	if _, err = c.c.Write(append(b, '\n')); err != nil {
		if _, why := c.Next(); why != nil { // it was refused before it had asked, or there is nobody any more
			return why
		}
	}
	return err
}

// Give sends input to a job or a console.
func (c *Conn) Give(in Input) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = c.c.Write(append(b, '\n'))
	return err
}

// ErrEnded says that there is no appliance any more.
var ErrEnded = errors.New("the appliance has ended")

// NameError says that the appliance has nothing of a name in the request.
type NameError struct{ text string }

func (e *NameError) Error() string { return e.text }

// Next is the next answer. An answer that says that something is wrong is an error.
func (c *Conn) Next() (Reply, error) {
	var reply Reply
	line, err := c.in.ReadBytes('\n')
	switch {
	case err == io.EOF || errors.Is(err, syscall.ECONNRESET):
		return reply, c.why()
	}
	if err != nil {
		return reply, err
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return reply, fmt.Errorf("invalid answer: %w", err)
	}
	switch {
	case reply.Wrong:
		return reply, &NameError{reply.Error}
	case reply.Error != "":
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

// why is why nothing more comes. A server that ends takes no clients any more.
func (c *Conn) why() error {
	again, err := connect(c.path)
	if err != nil {
		return ErrEnded
	}
	again.Close()
	return errors.New("the appliance has disconnected this client, which read too slowly")
}

// Read reads the capture, after the first answer to "capture".
func (c *Conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// CloseWrite tells that nothing more comes from here, which ends a capture.
func (c *Conn) CloseWrite() error {
	if u, ok := c.c.(*net.UnixConn); ok {
		return u.CloseWrite()
	}
	return nil
}

// Close ends the connection, and what it carries.
func (c *Conn) Close() error { return c.c.Close() }
