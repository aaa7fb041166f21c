package net

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// host is a station that notes what it is told and sent.
type host struct {
	port     *ether.Port
	speed    int64
	carrier  []bool
	received []string
}

func (h *host) Receive(f *ether.Frame) error {
	h.received = append(h.received, string(f.Parts[0][14:]))
	return nil
}

func (h *host) Plug(p *ether.Port, speed int64, _ bool) { h.port, h.speed = p, speed }

func (h *host) SetLink(up bool) { h.carrier = append(h.carrier, up) }

// send sends a text to another host, by their numbers, or to all.
func (h *host) send(from, to byte, text string) {
	h.port.Domain().Do(func() {
		header := []byte{2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5}
		h.port.Send(&ether.Frame{Parts: [][]byte{append(header, text...)}})
	})
}

// network is a segment of three boards in virtual time.
type network struct {
	t     *testing.T
	cal   *simbus.Calendar
	link  periph.Segment
	hosts [3]*host
}

func newNetwork(t *testing.T, c *SegmentConfig) *network {
	t.Helper()
	n := &network{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(n.cal.Close)
	c.Ports = []string{"a.eth0", "b.eth0", "c.eth0"}
	ends := c.Ends()
	c.Check(func(key, format string, args ...any) { t.Errorf(key+": "+format, args...) }, ends)
	var joints []periph.Joint
	for i, e := range ends {
		d, err := n.cal.AddDomain(e.Name[:1])
		if err != nil {
			t.Fatal(err)
		}
		n.hosts[i] = new(host)
		joints = append(joints, periph.Joint{LinkEnd: e, Domain: d, Socket: n.hosts[i]})
	}
	link, err := c.Build(&periph.LinkEnv{Name: "lan", Calendar: n.cal, Seed: 1}, joints)
	if err != nil {
		t.Fatal(err)
	}
	n.link = link.(periph.Segment)
	return n
}

// after lets some time pass, and takes what each host has received.
func (n *network) after() (received []string) {
	n.t.Helper()
	if _, err := n.cal.Advance(context.Background(), n.cal.Now().Add(time.Second), nil); err != nil {
		n.t.Fatal(err)
	}
	for _, h := range n.hosts {
		received = append(received, strings.Join(h.received, " "))
		h.received = nil
	}
	return received
}

// TestCutPort: a port that is cut has no carrier, gets and sends nothing, and the switch
// forgets what was behind it, as with a cable that is unplugged.
func TestCutPort(t *testing.T) {
	n := newNetwork(t, new(SegmentConfig))
	n.hosts[1].send(1, 0, "learn")
	n.after()
	n.hosts[0].send(0, 1, "known")
	if got := n.after(); !slices.Equal(got, []string{"", "known", ""}) {
		t.Errorf("received %q by a switch that knows b", got)
	}
	n.link.Cut("b.eth0", true)
	if got := n.link.At("b.eth0", "").Get(periph.LinkState).Text(); got != "down" {
		t.Errorf("a port that is cut is %s", got)
	}
	n.hosts[0].send(0, 1, "gone")
	n.hosts[1].send(1, 0, "lost")
	if got := n.after(); !slices.Equal(got, []string{"", "", "gone"}) {
		t.Errorf("received %q while b was cut", got)
	}
	n.link.Cut("b.eth0", false)
	n.hosts[1].send(1, 0, "back")
	if got := n.after(); !slices.Equal(got, []string{"back", "", ""}) {
		t.Errorf("received %q after b came back", got)
	}
	n.link.Cut("", true)
	n.hosts[0].send(0, 2, "none")
	if got := n.after(); !slices.Equal(got, []string{"", "", ""}) {
		t.Errorf("received %q while all was cut", got)
	}
	if got := n.hosts[1].carrier; !slices.Equal(got, []bool{false, true, false}) {
		t.Errorf("b was told of the carrier %v", got)
	}
}

// TestSegmentProperties reads all properties of all places, and sets those that can be set
// to what they are.
func TestSegmentProperties(t *testing.T) {
	rate, loss, vlan := periph.Rate(100_000_000), 0.5, 20
	c := &SegmentConfig{Impairment: Impairment{Bandwidth: &rate}, Port: []PortConfig{
		{Name: "b.eth0", VLAN: &vlan, Trunk: []int{30, 40}, Mirror: []string{"a.eth0", "c.eth0"}, Rx: &Impairment{Loss: &loss}}}}
	n := newNetwork(t, c)
	if n.hosts[0].speed != int64(rate) {
		t.Errorf("a's cable has %d bits a second", n.hosts[0].speed)
	}
	seen := make(map[string]string)
	for _, at := range []struct{ port, way string }{{"b.eth0", "tx"}, {"b.eth0", "rx"}, {"a.eth0", ""}, {"b.eth0", ""}, {"", ""}} {
		place := n.link.At(at.port, at.way)
		for _, s := range c.Specs(at.port, at.way) {
			text := s.Format(place.Get(s.Name))
			seen[strings.Trim(at.port+"."+at.way, ".")+"."+s.Name] = text
			if s.ReadOnly || s.Name == periph.LinkState || strings.HasPrefix(text, "tx ") { // its directions differ
				continue
			}
			v, err := s.Parse(text)
			if err == nil {
				err = place.Set(s.Name, v)
			}
			if again := s.Format(place.Get(s.Name)); err != nil || again != text {
				t.Errorf("%v: %s is %s, and set to that is %s, %v", at, s.Name, text, again, err)
			}
		}
	}
	for name, want := range map[string]string{".bandwidth": "100M", ".latency": "20µs", ".known": "0", ".snooping": "off", "a.eth0.vlan": "1",
		"b.eth0.trunk": "30,40", "b.eth0.mirror": "a.eth0,c.eth0", "b.eth0.loss": "tx 0, rx 0.5", "b.eth0.tx.latency": "10µs", "b.eth0.rx.dropped.lost": "0"} {
		if seen[name] != want {
			t.Errorf("%s is %q, want %q", name, seen[name], want)
		}
	}
}

// TestImpairments: all that a cable can do to frames can be said in a file, and set.
func TestImpairments(t *testing.T) {
	model := reflect.TypeFor[ether.Impairment]()
	if len(settings) != model.NumField() {
		t.Errorf("%d settings for %d fields", len(settings), model.NumField())
	}
	for i := range settings {
		s := &settings[i]
		if want := strings.ToLower(model.Field(s.of).Name); s.Name != want || s.Doc == "" {
			t.Errorf("%s is the field %s: %q", s.Name, want, s.Doc)
		}
	}
}
