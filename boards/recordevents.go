package boards

import (
	"sync"

	"backplane/simbus"
)

// eventLog writes the event stream to a file, a JSON object a line.
type eventLog struct {
	f    *recordFile
	mu   sync.Mutex
	buf  []byte
	last simbus.Time // of the last event
	over bool        // the record's limit is reached
}

// eventBuffer is how much is written at once, in bytes.
const eventBuffer = 64 << 10

// recordEvents lets events.jsonl be written.
func (r *Running) recordEvents() error {
	f, err := r.record.file(EventsFile)
	if f == nil || err != nil {
		return err
	}
	f.lines, f.taken = true, true
	l := &eventLog{f: f}
	r.record.onReach = l.end
	r.record.flushed(l.flush)
	r.events = l
	r.cal.Subscribe(l.event)
	return nil
}

func (l *eventLog) event(e *simbus.Event) {
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
func (l *eventLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.mark()
	}
}

// mark is end. The caller holds the lock.
func (l *eventLog) mark() {
	l.over = true
	e := simbus.Event{Time: max(l.f.rec.at, l.last), Kind: simbus.KindRecord, Attrs: []simbus.Attr{simbus.Text("detail", l.f.rec.reached().Error())}}
	l.buf = append(e.AppendJSON(l.buf), '\n')
	l.write()
}

// flush writes out what is in memory. The caller of write holds the lock.
func (l *eventLog) flush() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *eventLog) write() {
	_, _ = l.f.Write(l.buf)
	l.buf = l.buf[:0]
}
