package net_test

import (
	"testing"

	"backplane/periph"
	"backplane/periph/net"
)

// TestPortOfABoard: a port of a board file has the address of its table or of its place,
// and no link at first.
func TestPortOfABoard(t *testing.T) {
	for mac, want := range map[string]string{"": "02:42:50:01:02:03", "02:00:00:00:00:01": "02:00:00:00:00:01"} {
		changed := 0
		port, err := (&net.Config{MAC: mac}).Build(&periph.Env{Name: "eth0", Board: 0x102, Index: 3, ConfigChanged: func() { changed++ }})
		if err != nil {
			t.Fatal(err)
		}
		nic, spec := port.(*net.NIC), &net.Kind.Properties[0]
		if got := nic.MAC().String(); got != want || spec.Format(nic.Get(spec.Name)) != "down" {
			t.Errorf("a port with mac %q has the address %s, and its link is %s", mac, got, spec.Format(nic.Get(spec.Name)))
		}
		if err := nic.Set(spec.Name, periph.Str("up")); err != nil || !nic.Up() || changed != 1 {
			t.Errorf("setting the link: %v; up: %t; the guest was told %d times", err, nic.Up(), changed)
		}
	}
}
