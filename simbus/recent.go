package simbus

import "slices"

// Recent is the last events of a stream: as many as it was made for, and fewer where
// they are large. It keeps copies, so that an event does not keep those that came with
// it. A nil Recent has none.
type Recent struct {
	most, bytes int
	list        []Event // at most twice as many as most
	size        int
}

// NewRecent makes one for the last n events, which may take so much memory in bytes.
func NewRecent(n, bytes int) *Recent { return &Recent{most: n, bytes: bytes} }

// Add adds an event.
func (r *Recent) Add(e *Event) {
	r.list = append(r.list, *e)
	r.size += e.Size()
	if len(r.list) < 2*r.most && r.size <= r.bytes {
		return
	}
	// Let go of half, so that it is rarely done.
	first, size := 0, r.size
	for first < len(r.list)-1 && (len(r.list)-first > r.most || size > r.bytes/2) {
		size -= r.list[first].Size()
		first++
	}
	kept := copy(r.list, r.list[first:])
	clear(r.list[kept:])
	r.list, r.size = r.list[:kept], size
}

// Last are the last n events, the oldest first; all that it was made for if n is not positive.
func (r *Recent) Last(n int) []Event {
	if r == nil {
		return nil
	}
	if n <= 0 || n > r.most {
		n = r.most
	}
	return slices.Clone(r.list[max(0, len(r.list)-n):])
}
