package ether

import (
	"slices"
	"sync"
	"sync/atomic"

	"backplane/simbus"
)

// taps are those that look at one place. They may come and go at any time.
type taps struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*simbus.TapFunc]
}

func (t *taps) add(f simbus.TapFunc) (remove func()) {
	t.change(func(list []*simbus.TapFunc) []*simbus.TapFunc { return append(list, &f) })
	return func() {
		t.change(func(list []*simbus.TapFunc) []*simbus.TapFunc {
			return slices.DeleteFunc(list, func(g *simbus.TapFunc) bool { return g == &f })
		})
	}
}

func (t *taps) change(f func([]*simbus.TapFunc) []*simbus.TapFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := f(slices.Clone(t.all()))
	t.list.Store(&list)
}

func (t *taps) all() []*simbus.TapFunc {
	if list := t.list.Load(); list != nil {
		return *list
	}
	return nil
}

// show calls the taps.
func (t *taps) show(at simbus.Time, from, to *Port, f *Frame) {
	list := t.all()
	if len(list) == 0 {
		return
	}
	whole, done := f.whole()
	defer done()
	for _, tap := range list {
		(*tap)(at, from.name, to != nil, whole, len(whole))
	}
}

// Tap calls f with each frame that the switch takes, whatever becomes of it,
// with the time at which it does. remove ends it.
func (s *Segment) Tap(f simbus.TapFunc) (remove func()) { return s.taps.add(f) }

// Tap calls f with what the board sends and receives at this port, at the
// board's end of the cable: what a capture on the board itself would show.
// remove ends it.
func (p *Port) Tap(f simbus.TapFunc) (remove func()) { return p.taps.add(f) }

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// whole is the frame in one piece, until done is called.
func (f *Frame) whole() (whole []byte, done func()) {
	if len(f.Parts) == 1 {
		return f.Parts[0], func() {}
	}
	b := scratch.Get().(*[]byte)
	if n := f.Len(); cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = f.head((*b)[:f.Len()])
	return *b, func() { scratch.Put(b) }
}
