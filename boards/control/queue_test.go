package control

import (
	"bytes"
	"testing"
)

// TestQueueOfSmallReplies: a program that writes byte by byte, and a guest that takes its
// input so, do not make a reply of each byte.
func TestQueueOfSmallReplies(t *testing.T) {
	q := newQueue()
	const n = 100_000
	for range n {
		q.add(Reply{Stdout: []byte("x")})
	}
	for range n {
		q.add(Reply{Taken: 1})
	}
	q.add(Reply{Stderr: []byte("e")})
	q.add(Reply{Done: true, Status: 7})
	if len(q.replies) > n/MaxInput+4 {
		t.Errorf("%d replies wait", len(q.replies))
	}
	var out []byte
	taken := 0
	for {
		r, err := q.next()
		if err != nil {
			t.Fatal(err)
		}
		out, taken = append(append(out, r.Stdout...), r.Stderr...), taken+r.Taken
		if r.Done {
			break
		}
	}
	if !bytes.Equal(out, append(bytes.Repeat([]byte("x"), n), 'e')) || taken != n || q.taken() != n {
		t.Errorf("%d bytes of output, %d of input taken", len(out), taken)
	}
}
