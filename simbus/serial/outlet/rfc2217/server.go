package rfc2217

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"backplane/simbus/serial/outlet"
)

// Server lets one client after another have a line.
type Server struct {
	// Settings are what the line is set to when a client comes: what the last one has set
	// is gone.
	Settings outlet.Settings
	// Attach gives a program an end of the line, until detach. A line that cannot be had
	// is an error, which the client reads.
	Attach func(outlet.Program) (line outlet.Line, detach func(), err error)

	ln      net.Listener
	serving sync.WaitGroup

	mu     sync.Mutex
	client *Session
	next   bool // a client waits for the one that leaves
	left   sync.Cond
	closed bool
}

// unixPrefix begins the address of a Unix socket.
const unixPrefix = "unix:"

// SplitAddress is an address as [net.Listen] has it: "unix:PATH", "ADDRESS:PORT", ":PORT" or "PORT".
// Where it names no address of the host it is 127.0.0.1.
func SplitAddress(text string) (network, address string, err error) {
	if path, is := strings.CutPrefix(text, unixPrefix); is {
		if path == "" {
			return "", "", errors.New("the address unix: has no path: write unix:PATH")
		}
		return "unix", path, nil
	}
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err == nil && host == "" {
		host = "127.0.0.1"
	}
	if _, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || net.ParseIP(host) == nil {
		return "", "", fmt.Errorf("%q is not an address to listen on: write ADDRESS:PORT, such as 127.0.0.1:2217, or unix:PATH", text)
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

// Listen begins to serve on an address. A Unix socket that nobody listens on any more is
// replaced; only its owner can reach it.
func (s *Server) Listen(address string) error {
	network, at, err := SplitAddress(address)
	if err != nil {
		return err
	}
	if network == "unix" {
		if err := clear(at); err != nil {
			return err
		}
	}
	if s.ln, err = net.Listen(network, at); err != nil {
		return err
	}
	if network == "unix" {
		if err := os.Chmod(at, 0o600); err != nil {
			return errors.Join(err, s.ln.Close())
		}
	}
	s.left.L = &s.mu
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

// Address is where it listens: it has the port that was chosen for port 0.
func (s *Server) Address() string {
	if a := s.ln.Addr(); a.Network() == "unix" {
		return unixPrefix + a.String()
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
	s.client = NewSession(c, s.Settings)
	return s.client
}

func (s *Server) serve(client *Session) {
	line, detach, err := s.Attach(client)
	if err == nil {
		_ = client.Run(line) // a line that fails has ended, and says so itself
		detach()
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
