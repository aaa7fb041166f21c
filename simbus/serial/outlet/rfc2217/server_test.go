package rfc2217

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// port is a line that sends back what it is sent.
type port struct{ program outlet.Program }

func (p *port) Do(a outlet.Act) error {
	if a.Do == outlet.Send {
		p.program.Sent(len(a.Data))
		p.program.Receive(a.Data, 0)
	}
	return nil
}

// serve is a server of such a line.
func serve(t *testing.T, address string) *Server {
	t.Helper()
	s, err := Listen(address, outlet.Settings{Format: serial.EightN1(serial.Baud(9600))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(func(p outlet.Program) (outlet.Line, error) { return &port{p}, nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	network, address, err := outlet.Address(s.Name())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// echo wants a client served.
func echo(t *testing.T, c net.Conn) {
	t.Helper()
	p := make([]byte, 2)
	if _, err := io.WriteString(c, "hi"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, p); err != nil || string(p) != "hi" {
		t.Fatalf("%q comes back: %v", p, err)
	}
}

// TestServer serves one client, then another, over both kinds of sockets.
func TestServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "port")
	for _, address := range []string{"127.0.0.1:0", "unix:" + socket} {
		s := serve(t, address)
		first := dial(t, s)
		echo(t, first)
		if text, err := io.ReadAll(dial(t, s)); err != nil || string(text) != "another client has this port\r\n" {
			t.Errorf("%s: the second reads %q: %v", address, text, err)
		}
		first.Close()
		second := dial(t, s)
		echo(t, second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := second.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: a client is left when the server is closed", address)
		}
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestSocket takes the place of a socket without a server, and of nothing else.
func TestSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "port")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	s := serve(t, "unix:"+socket)
	if i, err := os.Stat(socket); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	if _, err := Listen(s.Name(), s.set); err == nil || !strings.HasSuffix(err.Error(), "is in use") {
		t.Errorf("a second server: %v", err)
	}
	echo(t, dial(t, s))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:"+file, s.set); err == nil || !strings.HasSuffix(err.Error(), "is there, and is no socket") {
		t.Errorf("in place of a file: %v", err)
	}
}

// TestHalfClosed answers a client that has sent all.
func TestHalfClosed(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "port")} {
		c := dial(t, serve(t, address))
		if _, err := io.WriteString(c, "hi"); err != nil {
			t.Fatal(err)
		}
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(c); err != nil || string(text) != "hi" {
			t.Errorf("%s: it reads %q: %v", address, text, err)
		}
	}
}
