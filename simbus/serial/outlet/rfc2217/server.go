package rfc2217

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"backplane/simbus/serial/outlet"
)

// Server lets one client after another have a line.
type Server struct {
	set     outlet.Settings // for each client: what the last one has set is gone
	attach  outlet.Attach
	ln      net.Listener
	serving sync.WaitGroup

	mu     sync.Mutex
	client *Session
	next   bool // a client waits for the one that leaves
	left   sync.Cond
	closed bool
}

// Listen takes an address; clients wait until Serve. For each the line is set like that at
// first. A Unix socket that nobody listens on any more is replaced; only its owner can reach it.
func Listen(address string, set outlet.Settings) (*Server, error) {
	network, at, err := outlet.Address(address)
	if err != nil {
		return nil, err
	}
	if network == "unix" {
		if err := clear(at); err != nil {
			return nil, err
		}
	}
	s := &Server{set: set}
	s.left.L = &s.mu
	if s.ln, err = net.Listen(network, at); err != nil {
		return nil, err
	}
	if network == "unix" {
		if err := os.Chmod(at, 0o600); err != nil {
			return nil, errors.Join(err, s.ln.Close())
		}
	}
	return s, nil
}

// Serve begins to serve clients. A line that attach cannot give is an error, which they read.
func (s *Server) Serve(attach outlet.Attach) error {
	s.attach = attach
	s.serving.Go(s.accept)
	return nil
}

// clear removes a socket whose server is gone.
func clear(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("%s is in use", path)
	}
	return os.Remove(path)
}

// Name is where it listens: it has the port that was chosen for port 0.
func (s *Server) Name() string {
	if a := s.ln.Addr(); a.Network() == "unix" {
		return outlet.UnixPrefix + a.String()
	}
	return s.ln.Addr().String()
}

// again is how soon a connection is tried again that could not be accepted.
const again = 100 * time.Millisecond

func (s *Server) accept() {
	for {
		c, err := s.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of file descriptors, for now: the client waits
			time.Sleep(again)
		default:
			s.serving.Go(func() {
				if client := s.take(c); client != nil {
					s.serve(client)
				} else {
					refuse(c, "another client has this port")
				}
			})
		}
	}
}

// refuse tells a client why it cannot have the port.
func refuse(c net.Conn, why string) {
	if c.SetWriteDeadline(time.Now().Add(again)) == nil {
		fmt.Fprintf(c, "%s\r\n", why)
	}
	c.Close()
}

// take makes a connection the client, if there is none. It waits for one that is leaving, as
// a program that opens a serial port waits for what another has closed; one at a time may.
func (s *Server) take(c net.Conn) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil && !s.next && hungUp(s.client.conn) {
		s.next = true
		for s.client != nil && !s.closed {
			s.left.Wait()
		}
		s.next = false
	}
	if s.client != nil || s.closed {
		return nil
	}
	s.client = NewSession(c, s.set)
	return s.client
}

func (s *Server) serve(client *Session) {
	line, err := s.attach(client)
	if err == nil {
		_ = client.Run(line) // a line that fails has ended, and says so itself
	} else {
		refuse(client.conn, err.Error())
	}
	s.mu.Lock()
	s.client = nil
	s.left.Broadcast()
	s.mu.Unlock()
}

// Close ends the server and its client.
func (s *Server) Close() error {
	err := s.ln.Close()
	s.mu.Lock()
	s.closed = true
	if s.client != nil {
		s.client.Close()
	}
	s.left.Broadcast()
	s.mu.Unlock()
	s.serving.Wait()
	return err
}
