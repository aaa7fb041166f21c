package ether

import (
	"sync"
	"sync/atomic"
	"time"

	"backplane/simbus"
)

type address [6]byte

var broadcast = address{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Defaults of a switch's table of addresses.
const (
	DefaultAddresses = 4096
	DefaultAgeing    = 5 * time.Minute // IEEE 802.1Q clause 8.8.3
)

// table is which address of which VLAN is behind which port. On the direct way
// several goroutines use it at once.
type table struct {
	limit  atomic.Int64 // entries; beyond that frames are flooded
	ageing atomic.Int64 // how long an address is kept that is not heard of, in ns; 0 for ever

	mu      sync.RWMutex
	entries map[uint64]*entry
	swept   simbus.Time // when old entries were looked for last
}

type entry struct {
	port *Port
	seen atomic.Int64
}

// key is an address in a VLAN.
func key(vlan uint16, a address) uint64 {
	return uint64(vlan)<<48 | uint64(a[0])<<40 | uint64(a[1])<<32 | uint64(a[2])<<24 | uint64(a[3])<<16 | uint64(a[4])<<8 | uint64(a[5])
}

func (t *table) old(e *entry, now simbus.Time) bool {
	ageing := t.ageing.Load()
	return ageing > 0 && int64(now)-e.seen.Load() > ageing
}

// find returns the port behind which dst is, nil if that is not known, and
// remembers that src is behind from.
func (t *table) find(vlan uint16, dst, src address, from *Port, now simbus.Time) (to *Port) {
	t.mu.RLock()
	if e := t.entries[key(vlan, dst)]; e != nil && !t.old(e, now) {
		to = e.port
	}
	e := t.entries[key(vlan, src)]
	known := e != nil && e.port == from
	t.mu.RUnlock()
	switch {
	case src[0]&1 != 0:
		// A group is not behind one port.
	case known:
		e.seen.Store(int64(now))
	default:
		t.learn(key(vlan, src), from, now)
	}
	return to
}

// sweepEvery is how often a full table is looked through for old entries.
const sweepEvery = time.Second

func (t *table) learn(k uint64, p *Port, now simbus.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[k]
	if e == nil {
		if int64(len(t.entries)) >= t.limit.Load() && now.Sub(t.swept) >= sweepEvery {
			t.sweep(now)
		}
		if int64(len(t.entries)) >= t.limit.Load() {
			return
		}
		e = new(entry)
		t.entries[k] = e
	}
	e.port = p
	e.seen.Store(int64(now))
}

// sweep forgets old entries.
func (t *table) sweep(now simbus.Time) {
	t.swept = now
	for k, e := range t.entries {
		if t.old(e, now) {
			delete(t.entries, k)
		}
	}
}

// flush forgets what is behind a port, or everything if p is nil.
func (t *table) flush(p *Port) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, e := range t.entries {
		if p == nil || e.port == p {
			delete(t.entries, k)
		}
	}
}

// count is how many addresses are known.
func (t *table) count(now simbus.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	return len(t.entries)
}
