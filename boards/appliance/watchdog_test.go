package appliance

import (
	"testing"
	"time"

	"backplane/periph/gpio"
	"backplane/simbus"
)

// TestWatchdogLooks: what boards use of the host's CPUs is read when their
// appliance turns slow, and at no other time.
func TestWatchdogLooks(t *testing.T) {
	read := 0
	w := &watchdog{used: func() []time.Duration { read++; return []time.Duration{time.Duration(read)} }}
	host, virtual := time.Unix(0, 0), simbus.Time(0)
	w.begin(host, virtual, false)
	tests := []struct {
		name          string
		moving        bool
		host, virtual time.Duration // that go by
		took          time.Duration
		slow          bool
		read          int
	}{
		{"fast", true, time.Second, time.Minute, 0, false, 0},
		{"fast still", true, time.Second, time.Second / 50, 0, false, 0},
		{"nobody wants it to move", false, time.Second, 0, 0, false, 0},
		{"it turns slow", true, time.Second, time.Second / 200, 0, true, 1},
		{"slow", true, time.Second, time.Second / 200, time.Second, true, 1},
		{"slow still", true, 2 * time.Second, 0, 3 * time.Second, true, 1},
		{"fast again", true, time.Second, time.Second, 0, false, 1},
		{"slow again", true, time.Second, 0, 0, true, 2},
	}
	for _, tt := range tests {
		w.moving.Store(tt.moving)
		host, virtual = host.Add(tt.host), virtual.Add(tt.virtual)
		took, slow := w.look(host, virtual)
		if took != tt.took || slow != tt.slow || read != tt.read {
			t.Errorf("%s: slow %v since %s, and %d readings; want %v, %s and %d", tt.name, slow, took, read, tt.slow, tt.took, tt.read)
		}
		w.event(&simbus.Event{Board: "b", Part: "gpio0", Kind: gpio.KindLevel})
		if _, n := mostOf(w.deeds, "b"); n > 0 != slow {
			t.Errorf("%s: %d events are counted", tt.name, n)
		}
	}
}
