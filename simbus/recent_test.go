package simbus

import (
	"strings"
	"testing"
)

// TestRecent: it has the last, and as many as it was made for unless they are large.
func TestRecent(t *testing.T) {
	r := NewRecent(10, 1<<20)
	if got := (*Recent)(nil).Last(0); got != nil {
		t.Errorf("a nil one has %v", got)
	}
	for i := range 1000 {
		r.Add(&Event{Time: Time(i)})
		if got := r.Last(0); len(got) != min(10, i+1) || got[len(got)-1].Time != Time(i) || got[0].Time != Time(max(0, i-9)) {
			t.Fatalf("after %d: %v", i, got)
		}
	}
	if got := r.Last(2); len(got) != 2 || got[0].Time != 998 {
		t.Errorf("the last two are %v", got)
	}
	large := Event{Attrs: []Attr{Text("line", strings.Repeat("x", 300<<10))}}
	for range 20 {
		r.Add(&large)
		kept := 0
		for _, e := range r.ring[:cap(r.ring)] {
			kept += e.size()
		}
		if kept > 1<<20 || len(r.Last(0)) == 0 {
			t.Fatalf("it keeps %d bytes in %d events", kept, len(r.Last(0)))
		}
	}
	if got := len(r.Last(0)); got != 3 {
		t.Errorf("of large ones it keeps %d", got)
	}
	huge := Event{Attrs: []Attr{Text("line", strings.Repeat("x", 2<<20))}}
	if r.Add(&huge); len(r.Last(0)) != 1 {
		t.Errorf("of one that is too large it keeps %d events", len(r.Last(0)))
	}
}

// TestRecentIsFull: one that is full takes no more memory, whatever comes.
func TestRecentIsFull(t *testing.T) {
	const n = 2000
	r := NewRecent(n, 1<<30)
	before := 0
	for i := range 10 * n {
		r.Add(&Event{Time: Time(i)})
		if i == n {
			before = cap(r.ring)
		}
	}
	if before != n || cap(r.ring) != before || r.size != n*eventSize {
		t.Errorf("in the end it has room for %d events of %d bytes, and for %d when it was full; it was made for %d", cap(r.ring), r.size, before, n)
	}
	if got := testing.AllocsPerRun(100, func() { r.Add(&Event{Time: 1}) }); got > 0 {
		t.Errorf("an event more takes %.0f allocations", got)
	}
}
