package vhostuser

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"

	"backplane/periph/rng"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// TestHalfAMessage sends a message in two parts: between them the board must go on.
func TestHalfAMessage(t *testing.T) {
	cal := simbus.NewReal()
	d, err := cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rng.sock")
	var s *Server
	d.Do(func() { s, err = Listen(path, rng.New("rng", new(counting)), Options{Poller: d}) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Do(s.Close); cal.Close() })
	f := dial(t, path)
	whole := appendMessage(nil, getConfig, version, make([]byte, 12+8))
	for _, cut := range []int{1, headerSize - 1, headerSize, headerSize + 5} {
		if _, err := unix.Write(f.fd, whole[:cut]); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < cut; { // each Do is the board's going on
			d.Do(func() {
				if s.conn != nil {
					got = s.conn.got
				}
			})
		}
		if _, err := unix.Write(f.fd, whole[cut:]); err != nil {
			t.Fatal(err)
		}
		if r := f.reply(); r == nil {
			t.Fatalf("cut after %d bytes, the message is not answered", cut)
		}
	}
}

// starve lets this program open no more files until the test ends.
func starve(t *testing.T) (feed func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	feed = func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(feed)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	return feed
}

// TestNoDescriptorToAccept connects to a program that is out of file descriptors.
func TestNoDescriptorToAccept(t *testing.T) {
	path, errs := serve(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	starve(t)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; !errors.Is(err, ErrRefused) || !errors.Is(err, unix.EMFILE) {
		t.Errorf("it says %v", err)
	}
	select {
	case err := <-errs:
		t.Errorf("it says so again: %v", err)
	default:
	}
}

// TestNoDescriptorToReceive sends file descriptors to such a program: they are lost
// on its side, which is no fault of the guest's.
func TestNoDescriptorToReceive(t *testing.T) {
	path, errs := serve(t)
	f := dial(t, path)
	f.negotiate()
	feed := starve(t)
	payload := binary.NativeEndian.AppendUint64(nil, 0)
	if err := unix.Sendmsg(f.fd, appendMessage(nil, setVringCall, version, payload), unix.UnixRights(f.fd), nil, unix.MSG_NOSIGNAL); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; !errors.Is(err, ErrRefused) || errors.Is(err, errProtocol) {
		t.Errorf("it says %v", err)
	}
	feed()
}
