package simbus

import "math"

// Timer is a call that At has put on the calendar.
type Timer struct {
	t     Time
	from  int    // among equal times, what other domains have sent comes first, by their index
	order uint64 // and then what was asked for first
	index int    // in the heap, -1 when it is not there
	owner *timers
	what  call
}

// Stop takes the call off the calendar. It returns false if the call has
// happened or was stopped before. It is called on the goroutine that drives
// the model; a nil Timer is one that never was started.
func (t *Timer) Stop() bool {
	if t == nil || t.index < 0 {
		return false
	}
	t.owner.remove(t)
	return true
}

// Time is when the call is due.
func (t *Timer) Time() Time { return t.t }

// timers is a heap of pending calls, earliest first.
type timers struct {
	heap  []*Timer
	asked uint64
}

func (h *timers) next() Time {
	if len(h.heap) == 0 {
		return Never
	}
	return h.heap[0].t
}

// own is the from of what a domain has asked for itself.
const own = math.MaxInt

// add puts a call into the heap. Of two for one time, which comes first does not depend on
// when the one that another domain has sent was handed over.
func (h *timers) add(at Time, from int, what call) *Timer {
	h.asked++
	t := &Timer{t: at, from: from, order: h.asked, owner: h, what: what, index: len(h.heap)}
	h.heap = append(h.heap, t)
	h.up(t.index)
	return t
}

// pop takes the earliest call off the heap.
func (h *timers) pop() *Timer {
	t := h.heap[0]
	h.remove(t)
	return t
}

func (h *timers) remove(t *Timer) {
	i, last := t.index, len(h.heap)-1
	h.swap(i, last)
	h.heap[last] = nil
	h.heap = h.heap[:last]
	t.index = -1
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h *timers) less(i, j int) bool {
	a, b := h.heap[i], h.heap[j]
	if a.t != b.t {
		return a.t < b.t
	}
	return a.from < b.from || a.from == b.from && a.order < b.order
}

func (h *timers) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].index, h.heap[j].index = i, j
}

func (h *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *timers) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.heap) {
			return
		}
		if right := child + 1; right < len(h.heap) && h.less(right, child) {
			child = right
		}
		if !h.less(child, i) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
