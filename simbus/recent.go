package simbus

// Recent is the last events of a stream: as many as it was made for, and fewer where
// they are large. What it keeps does not grow once it is full. It keeps copies, so that
// an event does not keep those that came with it. A nil Recent has none.
type Recent struct {
	most, bytes int
	ring        []Event // grows up to most
	first, n    int     // the oldest, and how many there are
	size        int
}

// NewRecent makes one for the last n events, which may take so much memory in bytes.
func NewRecent(n, bytes int) *Recent { return &Recent{most: n, bytes: bytes} }

// Add adds an event.
func (r *Recent) Add(e *Event) {
	if r.n == r.most {
		r.drop()
	}
	if r.n == len(r.ring) {
		r.grow()
	}
	*r.at(r.n) = *e
	r.n++
	for r.size += e.Size(); r.size > r.bytes && r.n > 1; {
		r.drop()
	}
}

// at is the place of the event after i older ones.
func (r *Recent) at(i int) *Event { return &r.ring[(r.first+i)%len(r.ring)] }

// drop lets go of the oldest event.
func (r *Recent) drop() {
	oldest := r.at(0)
	r.size -= oldest.Size()
	*oldest = Event{}
	r.first = (r.first + 1) % len(r.ring)
	r.n--
}

func (r *Recent) grow() {
	ring := make([]Event, min(max(2*len(r.ring), 16), r.most))
	copy(ring, r.Last(0))
	r.ring, r.first = ring, 0
}

// Last are the last n events, the oldest first; all that it was made for if n is not positive.
func (r *Recent) Last(n int) []Event {
	if r == nil || r.n == 0 {
		return nil
	}
	if n <= 0 || n > r.n {
		n = r.n
	}
	list := make([]Event, n)
	for i := range list {
		list[i] = *r.at(r.n - n + i)
	}
	return list
}
