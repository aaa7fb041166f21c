package scenarios

import (
	"fmt"
	"strings"
	"sync"

	"backplane/boards"
	"backplane/simbus"
)

// history is how many events are kept to tell what was seen before a step, and
// backlog how many lines of a console that no step has looked at.
const (
	history = 1024
	backlog = 10_000
)

// Recorder keeps what a scenario needs of an appliance's stream of events. Its
// zero value is ready; its Event must be subscribed before the appliance starts.
type Recorder struct {
	// Tolerant takes the loss of a board as one event of many.
	Tolerant bool

	mu     sync.Mutex
	recent []*simbus.Event            // the last ones, at most 2 * history
	unread map[string][]*simbus.Event // console: its lines since the last one that a step has matched
	watch  *watch                     // what the present step expects, nil if nothing
	gone   map[string]bool            // boards whose loss a step has expected, until they are on again
	loss   string                     // the first loss that no step has expected
}

// Event takes one event of the stream, and keeps it.
func (r *Recorder) Event(e *simbus.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recent = append(r.recent, e); len(r.recent) == 2*history {
		r.recent = append(r.recent[:0], r.recent[history:]...)
	}
	taken := r.watch != nil && r.watch.take(e)
	switch e.Kind {
	case simbus.KindConsole:
		if !taken || r.watch.never {
			r.keepLine(e)
		} else {
			delete(r.unread, place(e.Board, e.Part))
		}
	case simbus.KindGuest:
		r.guest(e, taken && !r.watch.never)
	}
}

func (r *Recorder) keepLine(e *simbus.Event) {
	console := place(e.Board, e.Part)
	if r.unread == nil {
		r.unread = make(map[string][]*simbus.Event)
	}
	lines := append(r.unread[console], e)
	if len(lines) > backlog {
		lines = append(lines[:0], lines[backlog/2:]...)
	}
	r.unread[console] = lines
}

// guest notes that a board was lost, unless the step wants just that.
func (r *Recorder) guest(e *simbus.Event, expected bool) {
	state, _ := e.Get("state")
	switch state {
	case boards.StateBooting:
		delete(r.gone, e.Board)
	case boards.StatePanic, boards.StateLost:
		if expected {
			if r.gone == nil {
				r.gone = make(map[string]bool)
			}
			r.gone[e.Board] = true
		}
		if r.Tolerant || r.loss != "" || r.gone[e.Board] {
			return
		}
		what := "was lost"
		if state == boards.StatePanic {
			what = "panicked"
		}
		r.loss = fmt.Sprintf("board %s %s", e.Board, what)
		if detail, _ := e.Get("detail"); detail != "" {
			r.loss += ": " + detail
		}
	}
}

// lost tells which board was lost, if one was.
func (r *Recorder) lost() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loss
}

// arm begins to look for what a step expects; nil ends it. A console's lines
// that no step has looked at count as if they came now.
func (r *Recorder) arm(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch = w
	if w == nil {
		return
	}
	w.last = r.last(shown, w.touches)
	lines := r.unread[w.console]
	if w.console == "" || w.never || len(lines) == 0 {
		return
	}
	w.last = nil
	for i, e := range lines {
		if w.take(e) {
			r.unread[w.console] = lines[i+1:]
		}
	}
}

// met tells whether what was armed has happened as often as it was looked for.
func (r *Recorder) met(w *watch) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return w.seen >= w.count
}

// note calls f, which may change what the recorder keeps in a watch.
func (r *Recorder) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// last returns the last n events for which f is true, in order.
func (r *Recorder) last(n int, f func(*simbus.Event) bool) []*simbus.Event {
	found := make([]*simbus.Event, 0, n)
	for i := len(r.recent) - 1; i >= 0 && len(found) < n; i-- {
		if f(r.recent[i]) {
			found = append(found, r.recent[i])
		}
	}
	for i, j := 0, len(found)-1; i < j; i, j = i+1, j-1 {
		found[i], found[j] = found[j], found[i]
	}
	return found
}

// lastEvents are the last n events of all, as text.
func (r *Recorder) lastEvents(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return texts(r.last(n, func(*simbus.Event) bool { return true }))
}

func texts(events []*simbus.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = text(e)
	}
	return list
}

// text writes an event for people.
func text(e *simbus.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ", e.Time)
	if at := place(e.Board, e.Part); at != "" {
		b.WriteString(at + " ")
	}
	b.WriteString(e.Kind)
	for _, a := range e.Attrs {
		if v := a.Value(); v == "" || strings.ContainsAny(v, " =\"\n\r\t") {
			fmt.Fprintf(&b, " %s=%q", a.Key, v)
		} else {
			fmt.Fprintf(&b, " %s=%s", a.Key, v)
		}
	}
	return b.String()
}

func place(board, part string) string {
	if board == "" || part == "" {
		return board + part
	}
	return board + "." + part
}
