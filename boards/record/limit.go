package record

import (
	"fmt"
	"sync"
	"sync/atomic"

	"backplane/simbus"
)

// limit bounds what of a record comes as the run goes: events, consoles,
// captures, inputs. What is written at once, at its start and at its end, does not grow,
// and is always there. Its zero value is no limit.
type limit struct {
	size    int64 // bytes; 0: none
	reached error // why the record ends there
	used    atomic.Int64
	reach   sync.Once
	over    atomic.Bool // at is set
	at      simbus.Time // when it was reached
	onReach func()      // if set: writes that into the record
}

// take asks for n more bytes. If they are too many the record ends: nobody gets any
// more, so that no file goes on where another does not.
func (rec *Writer) take(n int) bool {
	l := &rec.limit
	if l.size == 0 {
		return true
	}
	if !l.over.Load() && l.used.Add(int64(n)) <= l.size {
		return true
	}
	first := false
	l.reach.Do(func() {
		l.at, first = rec.now(), true
		l.over.Store(true)
	})
	if !first {
		return false
	}
	if rec.tell != nil {
		end := End{Cut: l.reached.Error(), At: l.at}
		go rec.tell(fmt.Sprintf("the record %s; the run goes on", end.verb()))
	}
	if l.onReach != nil {
		go l.onReach() // whoever asks may be just that
	}
	return false
}
