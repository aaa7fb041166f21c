package simbus

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoDescriptorToAccept lets a guest connect to the clock of a program that is out
// of file descriptors: the guest is given up, and time goes on.
func TestNoDescriptorToAccept(t *testing.T) {
	c, ds := newVirtual(t, "a")
	path := filepath.Join(t.TempDir(), "time.sock")
	fd, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	var lost error
	ds[0].Do(func() {
		var g *Guest
		if g, err = ds[0].AddGuest(fd, 0); err == nil {
			g.OnGone = func(err error) { lost = err }
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)
	if err := unix.Connect(client, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Advance(context.Background(), Time(Granule), nil)
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil {
		t.Fatal(e)
	}
	if err != nil || !errors.Is(lost, unix.EMFILE) {
		t.Errorf("time moves: %v; the guest is lost: %v", err, lost)
	}
}
