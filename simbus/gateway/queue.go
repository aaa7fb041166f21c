package gateway

import (
	"sync"

	"backplane/simbus"
	"backplane/simbus/ether"
)

// Item is one thing that comes out of a gateway: a frame for the segment, or an
// event that says what the gateway did.
type Item struct {
	Frame   *ether.Frame
	Event   []simbus.Attr // an event's attributes, if Frame is nil
	release func()
}

// Release gives the frame's memory back. Call it once it has been sent.
func (i *Item) Release() {
	if i.release != nil {
		i.release()
	}
}

// Queue is what waits to come in from outside, in order. Anybody may put; one
// goroutine takes.
type Queue struct {
	mu      sync.Mutex
	items   []Item
	bytes   int // of frames
	events  int
	dropped uint64
	told    uint64 // of the dropped, those that an event has told of
	closed  bool
	wake    func()
}

// What a queue holds at most. A sender finds out as on any network: what it
// sends is lost.
const (
	maxQueuedBytes  = 8 << 20
	maxQueuedEvents = 16 << 10
)

func newQueue() *Queue { return &Queue{} }

// OnItem calls wake when something comes into the empty queue, on any
// goroutine, also at once if something waits already.
func (q *Queue) OnItem(wake func()) {
	q.mu.Lock()
	q.wake = wake
	waiting := len(q.items) > 0
	q.mu.Unlock()
	if waiting {
		wake()
	}
}

// put adds an item, false if there is no room.
func (q *Queue) put(i Item) bool {
	n := 0
	if i.Frame != nil {
		n = i.Frame.Len()
	}
	q.mu.Lock()
	if q.closed || q.bytes+n > maxQueuedBytes || i.Frame == nil && q.events >= maxQueuedEvents {
		q.dropped++
		q.mu.Unlock()
		i.Release()
		return false
	}
	if q.bytes += n; i.Frame == nil {
		q.events++
	}
	q.items = append(q.items, i)
	first, wake := len(q.items) == 1, q.wake
	q.mu.Unlock()
	if first && wake != nil {
		wake()
	}
	return true
}

// Take returns all that waits, in order, and last an event if some of what came
// was dropped.
func (q *Queue) Take() []Item {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	if q.dropped > q.told {
		items = append(items, dropped("in", q.dropped))
	}
	q.items, q.bytes, q.events, q.told = nil, 0, 0, q.dropped
	return items
}

// dropped is the event that tells how much was lost so far, into the appliance
// or out of it.
func dropped(way string, count uint64) Item {
	return Item{Event: []simbus.Attr{simbus.Text("action", ActionDropped), simbus.Text("way", way), simbus.Int("count", count)}}
}

// Dropped is how much found the queue full.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

func (q *Queue) close() {
	q.mu.Lock()
	q.closed = true
	items := q.items
	q.items = nil
	q.mu.Unlock()
	for i := range items {
		items[i].Release()
	}
}
