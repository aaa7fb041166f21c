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
type Bus struct{ ports []*Port }

// NewBus makes a bus without ports.
func NewBus() *Bus { return new(Bus) }

// Join puts a port on the bus. A driver that is enabled drives it from now on, so disable
// those of ports that only drive it while they send.
func (b *Bus) Join(p *Port) {
	p.rx.clear()
	for _, q := range b.ports {
		if r := q.tx.now(); r != nil && q.tx.driving() {
			p.rx.add(r, p.clock.Now())
			p.rx.end(r, q.tx.until(r))
		}
	}
	b.ports = append(b.ports, p)
	p.join(b)
}

// Leave takes a port off the bus.
func (b *Bus) Leave(p *Port) {
	if p.line == b {
		p.join(nil)
		p.rx.clear()
		b.ports = slices.DeleteFunc(slices.Clone(b.ports), func(q *Port) bool { return q == p })
	}
}

// join makes the medium that of the port; nil takes it off.
func (p *Port) join(m medium) {
	p.tx.silence(p.clock.Now())
	p.line = m
	p.tx.joined()
}

func (b *Bus) begin(_ *Port, r *run, at simbus.Time) {
	for _, q := range b.ports {
		q.rx.add(r, at)
	}
}

func (b *Bus) end(_ *Port, r *run, at simbus.Time) {
	for _, q := range b.ports {
		q.rx.end(r, at)
	}
}

func (b *Bus) lead(*Port) time.Duration { return 0 }
func (b *Bus) format(*Port)             {}
func (b *Bus) lines(*Port)              {}
