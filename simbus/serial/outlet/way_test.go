package outlet_test

import (
	"testing"

	"backplane/simbus/serial/outlet"
)

// TestAddress reads addresses.
func TestAddress(t *testing.T) {
	for _, tt := range []struct{ text, network, address string }{
		{"2217", "tcp", "127.0.0.1:2217"},
		{":2217", "tcp", "127.0.0.1:2217"},
		{"0.0.0.0:0", "tcp", "0.0.0.0:0"},
		{"[::1]:22", "tcp", "[::1]:22"},
		{"unix:a/b", "unix", "a/b"},
		{text: "unix:"}, {text: "host:22"}, {text: "127.0.0.1:99999"}, {text: "::1"}, {text: ""},
	} {
		network, address, err := outlet.Address(tt.text)
		if network != tt.network || address != tt.address || (err != nil) != (tt.network == "") {
			t.Errorf("%q is %q %q, %v", tt.text, network, address, err)
		}
	}
}

// TestWay checks ways, and puts names into a folder.
func TestWay(t *testing.T) {
	for _, tt := range []struct {
		way  outlet.Way
		want outlet.Way
		err  string
	}{
		{way: outlet.Way{Pty: "modem"}, want: outlet.Way{Pty: "/run/x/modem"}},
		{way: outlet.Way{Pty: "/tmp/modem"}, want: outlet.Way{Pty: "/tmp/modem"}},
		{way: outlet.Way{Listen: "unix:modem"}, want: outlet.Way{Listen: "unix:/run/x/modem"}},
		{way: outlet.Way{Listen: "unix:/tmp/modem"}, want: outlet.Way{Listen: "unix:/tmp/modem"}},
		{way: outlet.Way{Listen: "2217"}, want: outlet.Way{Listen: "2217"}},
		{err: "a port is given to the host in one way: write pty or listen"},
		{way: outlet.Way{Pty: "a", Listen: "1"}, err: "a port is given to the host in one way: write pty or listen"},
		{way: outlet.Way{Pty: "a/b"}, err: `pty is "a/b"; it must be a name, or an absolute path`},
		{way: outlet.Way{Listen: "unix:../b"}, err: `listen is "../b"; it must be a name, or an absolute path`},
		{way: outlet.Way{Listen: "x"}, err: `"x" is not an address to listen on: write ADDRESS:PORT, such as 127.0.0.1:2217, or unix:PATH`},
	} {
		err := tt.way.Check()
		if err != nil && err.Error() != tt.err || err == nil && (tt.err != "" || tt.way.In("/run/x") != tt.want) {
			t.Errorf("%+v: %v, in a folder %+v", tt.way, err, tt.way.In("/run/x"))
		}
	}
}
