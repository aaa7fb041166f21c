package gateway

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// TestLeasesAreBounded asks for addresses in many names, of a network that has more.
func TestLeasesAreBounded(t *testing.T) {
	own := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	l := newLeases(&Config{Address: netip.MustParsePrefix("10.0.0.254/16"),
		Hosts: []Host{{Name: "sensor", MAC: own, Address: netip.MustParseAddr("10.0.0.7"), Lease: true}}})
	given := 0
	for i := range maxLeases + 100 {
		mac := net.HardwareAddr{2, 1, 0, 0, 0, 0}
		binary.BigEndian.PutUint32(mac[2:], uint32(i))
		if a, _ := l.of(mac); a.IsValid() {
			given++
		}
	}
	if given != maxLeases-1 || len(l.given) != maxLeases {
		t.Errorf("%d were given, and %d are kept", given, len(l.given))
	}
	if a, name := l.of(own); a.String() != "10.0.0.7" || name != "sensor" {
		t.Errorf("a board's own is %s %q", a, name)
	}
}

// TestBuffersOfManyConnections: a board that opens as many as there may be does not take
// a large buffer for each.
func TestBuffersOfManyConnections(t *testing.T) {
	g := new(Gateway)
	total := 0
	for range maxConnections {
		if !g.take(&g.tcp, maxConnections) {
			t.Fatal("it takes no more")
		}
		pool := g.relayBuffers()
		buf := pool.Get().(*[]byte)
		total += 2 * len(*buf) // each way
		pool.Put(buf)
	}
	if total > 64<<20 {
		t.Errorf("their buffers take %d MiB", total>>20)
	}
}

// TestTCPBuffersOfManyConnections opens more connections than can have large buffers.
func TestTCPBuffersOfManyConnections(t *testing.T) {
	cfg := config()
	toHost(&cfg, listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })) // it waits for the end
	s := newSite(t, cfg)
	const more = 20
	for range fewConnections + more {
		c, err := s.dial(t, "192.0.2.1:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s.event(t, "open tcp "+c.LocalAddr().String()+" ") // its buffers are set by then
	}
	small := 0
	for _, e := range s.stack.RegisteredEndpoints() {
		ep, ok := e.(tcpip.Endpoint)
		if ok && ep.SocketOptions().GetReceiveBufferSize() <= smallTCPBuffer && ep.SocketOptions().GetSendBufferSize() <= smallTCPBuffer {
			small++
		}
	}
	if small != more {
		t.Errorf("%d connections have small buffers, and %d are to", small, more)
	}
}
