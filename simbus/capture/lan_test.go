package capture_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/capture"
	"backplane/simbus/ether"
)

// lan is a segment in virtual time with two ports, b0.eth0 and b1.eth0.
type lan struct {
	t     *testing.T
	cal   *simbus.Calendar
	seg   *ether.Segment
	ports [2]*ether.Port
	got   [2]int // frames that arrived
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{t: t, cal: simbus.NewVirtual()}
	t.Cleanup(l.cal.Close)
	var err error
	if l.seg, err = ether.NewSegment(l.cal, "lan", ether.SegmentConfig{}); err != nil {
		t.Fatal(err)
	}
	for i := range l.ports {
		name := fmt.Sprintf("b%d", i)
		d, err := l.cal.AddDomain(name)
		if err != nil {
			t.Fatal(err)
		}
		l.ports[i] = l.seg.AddPort(name+".eth0", d, func(*ether.Frame) error { l.got[i]++; return nil })
	}
	return l
}

// place is the segment as a capture looks at it, and portPlace a port.
func (l *lan) place() capture.Place {
	return capture.Place{Name: "lan", LinkType: 1, Tap: l.seg.Tap}
}

func (l *lan) portPlace(i int) capture.Place {
	return capture.Place{Name: l.ports[i].Name(), Port: true, LinkType: 1, Tap: l.ports[i].Tap}
}

// send sends text from a port to the other.
func (l *lan) send(from int, text string) {
	l.ports[from].Domain().Do(func() {
		header := []byte{2, 0, 0, 0, 0, byte(1 - from), 2, 0, 0, 0, 0, byte(from), 0x88, 0xb5}
		l.ports[from].Send(&ether.Frame{Parts: [][]byte{header, []byte(text)}})
	})
}

func (l *lan) advance(d time.Duration) {
	l.t.Helper()
	if _, err := l.cal.Advance(context.Background(), l.cal.Now().Add(d), nil); err != nil {
		l.t.Fatal(err)
	}
}
