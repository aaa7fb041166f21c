package record

import (
	"sync"

	"backplane/simbus"
)

// EventLog writes the event stream to a file, a JSON object a line.
type EventLog struct {
	f    *File
	mu   sync.Mutex
	buf  []byte
	last simbus.Time // of the last event
	over bool        // the record's limit is reached
}

// eventBuffer is how much is written at once, in bytes.
const eventBuffer = 64 << 10

// Events makes events.jsonl; nil if nothing is recorded.
func (rec *Writer) Events() (*EventLog, error) {
	f, err := rec.File(EventsFile)
	if f == nil || err != nil {
		return nil, err
	}
	f.lines, f.taken = true, true
	l := &EventLog{f: f}
	rec.onReach = l.end
	rec.Flushed(l.Flush)
	return l, nil
}

// Add writes an event down. The calendar calls it.
func (l *EventLog) Add(e *simbus.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	before := len(l.buf)
	l.buf = append(e.AppendJSON(l.buf), '\n')
	if !l.f.rec.take(len(l.buf) - before) {
		l.buf = l.buf[:before]
		l.mark()
		return
	}
	l.last = e.Time
	if len(l.buf) >= eventBuffer {
		l.write()
	}
}

// end writes down that the record ends here.
func (l *EventLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.mark()
	}
}

// mark is end. The caller holds the lock.
func (l *EventLog) mark() {
	l.over = true
	e := simbus.Event{Time: max(l.f.rec.at, l.last), Kind: KindRecord, Attrs: []simbus.Attr{simbus.Text("detail", l.f.rec.reached.Error())}}
	l.buf = append(e.AppendJSON(l.buf), '\n')
	l.write()
}

// Flush writes out what is in memory. The caller of write holds the lock.
func (l *EventLog) Flush() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *EventLog) write() {
	_, _ = l.f.Write(l.buf)
	l.buf = l.buf[:0]
}
