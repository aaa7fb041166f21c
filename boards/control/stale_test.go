package control

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestKilled leaves what a program leaves that was killed, a socket and a lock that
// nobody holds: clients do not take it for an appliance, and the name is free.
func TestKilled(t *testing.T) {
	serve(t)
	c, err := NewClaim("killed")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Listen(&fake{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := Running(); err != nil || !slices.Equal(names, []string{"killed", "thermal"}) {
		t.Errorf("running: %q, %v", names, err)
	}
	s.ln.Close()
	c.lock.Close()
	if _, err := os.Stat(s.path); err != nil {
		t.Fatalf("the socket is not left behind: %v", err)
	}

	if names, err := Running(); err != nil || !slices.Equal(names, []string{"thermal"}) {
		t.Errorf("running: %q, %v", names, err)
	}
	if conn, err := Dial(""); err != nil {
		t.Errorf("the one that runs is not reached: %v", err)
	} else {
		conn.Close()
	}
	if _, err := Dial("killed"); err == nil || !strings.Contains(err.Error(), "no appliance named killed is running") {
		t.Errorf("one that was killed is reached: %v", err)
	}
	again, err := NewClaim("killed")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old socket is still there: %v", err)
	}
	again.Release()
	s.Stop()
	s.Finish(nil)
}
