package serial

import (
	"slices"
	"time"

	"backplane/simbus"
)

// Bus is an RS-485 bus: two wires with the transceivers of many ports, half duplex. All share
// one clock. Bias resistors make it high while no driver is enabled. Of several drivers that
// are enabled, those that drive it high win: they cancel each other out, and receivers take
// no voltage for high, as fail-safe ones do.
type Bus struct {
	ports []*Port
	live  []owned
}

// owned is what a port drives.
type owned struct {
	by *Port
	piece
}

// NewBus makes a bus without ports.
func NewBus() *Bus { return &Bus{} }

// Join puts a port on the bus.
func (b *Bus) Join(p *Port) {
	b.ports = append(b.ports, p)
	p.join(b)
}

// Leave takes a port off the bus.
func (b *Bus) Leave(p *Port) {
	if p.line == b {
		p.join(nil)
		b.ports = slices.DeleteFunc(b.ports, func(q *Port) bool { return q == p })
	}
}

func (b *Bus) begin(p *Port, r *run, at simbus.Time) {
	for _, q := range b.ports {
		q.rx.add(r, at)
	}
}

func (b *Bus) end(p *Port, r *run, at simbus.Time) {
	for _, q := range b.ports {
		q.rx.end(r, at)
	}
}

func (b *Bus) lead(*Port) time.Duration { return 0 }
func (b *Bus) format(*Port)             {}
func (b *Bus) lines(*Port)              {}
