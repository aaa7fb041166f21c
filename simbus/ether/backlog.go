package ether

import "backplane/simbus"

// backlog is how much is still waiting for its time. Times come in order.
type backlog struct {
	items []waiting
	first int
	bytes int64
}

type waiting struct {
	until simbus.Time
	bytes int64
}

// at lets go of what has waited until now, and returns how many bytes are left.
func (b *backlog) at(now simbus.Time) int64 {
	for b.first < len(b.items) && b.items[b.first].until <= now {
		b.bytes -= b.items[b.first].bytes
		b.first++
	}
	if b.first > len(b.items)/2 {
		b.items = append(b.items[:0], b.items[b.first:]...)
		b.first = 0
	}
	return b.bytes
}

func (b *backlog) add(until simbus.Time, bytes int64) {
	b.items = append(b.items, waiting{until, bytes})
	b.bytes += bytes
}
