package can

import (
	"slices"
	"sync"
	"sync/atomic"

	"backplane/simbus"
)

// Tap is shown what happens on a bus: a frame that was sent, when its last bit has been, or
// an error, when its flag begins. Both are the tap's until it returns; the frame of an error
// is nil where that is not about one. from is then who has found it.
type Tap func(at simbus.Time, from *Node, f *Frame, e *Error)

// taps are those that look at a bus. They may come and go at any time, on any goroutine.
type taps struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*Tap]
}

func (t *taps) change(f func([]*Tap) []*Tap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := f(slices.Clone(t.all()))
	t.list.Store(&list)
}

func (t *taps) all() []*Tap {
	if list := t.list.Load(); list != nil {
		return *list
	}
	return nil
}

// Tap calls f with what happens on the bus, on its goroutine. remove ends it.
func (b *Bus) Tap(f Tap) (remove func()) {
	b.taps.change(func(list []*Tap) []*Tap { return append(list, &f) })
	return func() {
		b.taps.change(func(list []*Tap) []*Tap {
			return slices.DeleteFunc(list, func(g *Tap) bool { return g == &f })
		})
	}
}

func (b *Bus) tell(at simbus.Time, from *Node, f *Frame, e *Error) {
	for _, tap := range b.taps.all() {
		(*tap)(at, from, f, e)
	}
}
