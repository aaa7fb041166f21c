package serial

import "slices"

// queue is what a transmitter has been given, call by call.
type queue struct {
	parts [][]byte // from head on
	head  int
	len   int // bytes
}

func (q *queue) put(data []byte) {
	if q.head > len(q.parts)/2 {
		q.parts = slices.Delete(q.parts, 0, q.head)
		q.head = 0
	}
	q.parts = append(q.parts, data)
	q.len += len(data)
}

// putBack makes data the next to be taken.
func (q *queue) putBack(data []byte) {
	if len(data) == 0 {
		return
	}
	q.parts = slices.Insert(q.parts, q.head, data)
	q.len += len(data)
}

// take takes at most n bytes, of one part.
func (q *queue) take(n int) []byte {
	part := q.parts[q.head]
	if n >= len(part) {
		q.parts[q.head] = nil
		q.head++
		q.len -= len(part)
		return part
	}
	q.parts[q.head] = part[n:]
	q.len -= n
	return part[:n:n]
}
