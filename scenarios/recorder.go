package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"backplane/boards/appliance"
	"backplane/simbus"
)

// history is how many events are kept to tell what was seen before a step, and
// backlog how many lines of a console that no step has looked at; each takes no more
// memory than so many bytes.
const (
	history      = 1024
	historyBytes = 4 << 20
	backlog      = 10_000
	backlogBytes = 8 << 20
)

// Recorder keeps what a scenario needs of an appliance's stream of events. Its
// zero value is ready; its Event must be subscribed before the appliance starts.
type Recorder struct {
	// Tolerant takes the loss of a board as one event of many.
	Tolerant bool

	other    *Recorder // of the scenario's player, nil if it has none
	mu       sync.Mutex
	recent   *simbus.Recent      // the last ones
	lines    *simbus.Recent      // of consoles, the last ones
	consoles map[string]*console // by board.part
	expected *expectation        // by the present step, nil if it expects nothing
	gone     map[string]bool     // boards whose loss a step has expected, until they are on again
	loss     string              // the first loss that no step has expected
}

// console is what is kept of one console.
type console struct {
	ended  int           // how many lines have ended
	unread []consoleLine // since the last one that a step has matched
	size   int           // of those, in bytes
	lost   int           // how many more there were, since then
	begun  beginning     // of the line that has not ended, if a step has matched that
}

// consoleLine is a whole line of a console.
type consoleLine struct {
	event  *simbus.Event
	number int       // of the console's lines, from 0
	begun  beginning // that a step has matched before the line ended
}

// console finds what is kept of a console: "board.part".
func (r *Recorder) console(name string) *console {
	c := r.consoles[name]
	if c == nil {
		c = new(console)
		if r.consoles == nil {
			r.consoles = make(map[string]*console)
		}
		r.consoles[name] = c
	}
	return c
}

// beside is the recorder of the scenario's player, which has been told of the same events.
func (r *Recorder) beside() *Recorder { return r.other }

// Event takes one event of the stream, and keeps it.
func (r *Recorder) Event(e *simbus.Event) {
	if r.other != nil {
		r.other.Event(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recent == nil {
		r.recent, r.lines = simbus.NewRecent(history, historyBytes), simbus.NewRecent(history, historyBytes)
	}
	r.recent.Add(e)
	switch e.Kind {
	case appliance.KindConsole:
		r.line(e)
	case appliance.KindGuest:
		r.guest(e, r.expected.take(consoleLine{event: e}))
	default:
		r.expected.take(consoleLine{event: e})
	}
}

// line takes a line of a console. One that no step matches waits for the next step.
func (r *Recorder) line(e *simbus.Event) {
	r.lines.Add(e)
	own := *e // and not those that came with it
	e = &own
	c := r.console(place(e.Board, e.Part))
	l := consoleLine{e, c.ended, c.begun}
	c.ended++
	if r.expected.take(l) {
		c.read()
		return
	}
	c.add(l)
}

// add adds a line that no step has looked at, and gives up the oldest if those are too many.
func (c *console) add(l consoleLine) {
	c.unread = append(c.unread, l)
	if c.size += l.event.Size(); len(c.unread) <= backlog && c.size <= backlogBytes {
		return
	}
	first := 0
	for first < len(c.unread) && (len(c.unread)-first > backlog/2 || c.size > backlogBytes/2) {
		c.size -= c.unread[first].event.Size()
		first++
	}
	c.lost += first
	kept := copy(c.unread, c.unread[first:])
	clear(c.unread[kept:])
	c.unread = c.unread[:kept]
}

// read forgets all lines: a step has matched the last, or nothing of them counts any more.
func (c *console) read() { c.unread, c.size, c.lost = nil, 0, 0 }

// forgotten says of which consoles lines were given up that a step might have looked for.
func (r *Recorder) forgotten(consoles []string) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range consoles {
		if n := r.console(name).lost; n > 0 {
			list = append(list, fmt.Sprintf("%d lines of %s came before any step looked for one, and were dropped: %d lines are kept, or %d MiB", n, name, backlog, backlogBytes>>20))
		}
	}
	return list
}

// forget forgets the lines of a board's consoles: it is switched on again, and
// nothing that it said before is of this boot.
func (r *Recorder) forget(board string) {
	for name, c := range r.consoles {
		if strings.HasPrefix(name, board+".") {
			c.read()
		}
	}
}

// guest notes that a board was lost, unless the step wants just that.
func (r *Recorder) guest(e *simbus.Event, expected bool) {
	state, _ := e.Get("state")
	switch state {
	case appliance.StateBooting:
		delete(r.gone, e.Board)
		r.forget(e.Board)
	case appliance.StatePanic, appliance.StateLost:
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
		if state == appliance.StatePanic {
			what = "panicked"
		}
		r.lose(e, what)
	case appliance.StateIncomplete:
		if !r.Tolerant && r.loss == "" && !expected {
			r.lose(e, "is incomplete")
		}
	}
}

// lose notes what is wrong with a board.
func (r *Recorder) lose(e *simbus.Event, what string) {
	r.loss = fmt.Sprintf("board %s %s", e.Board, what)
	if detail, _ := e.Get("detail"); detail != "" {
		r.loss += ": " + detail
	}
}

// lost tells which board was lost, if one was.
func (r *Recorder) lost() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loss
}

// arm begins to look for what a step expects; nil ends it. Lines of a console that
// no step has looked at count as if they came now, but not for a step that acts:
// what it expects comes after that. Nor do they for what must not happen. before
// has the lines of the consoles that have not ended.
func (r *Recorder) arm(x *expectation, acts bool, before map[string]appliance.Pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expected = x
	if x == nil {
		return
	}
	old := make(map[string]bool) // consoles whose lines count
	for _, w := range x.watches {
		w.last = last(r.recent.Last(0), shown, w.touches)
		switch {
		case w.console == "":
		case acts || w.never:
			p := before[w.console]
			w.begun = beginning{p.Line, p.Text}
		case len(r.console(w.console).unread) > 0:
			old[w.console], w.last = true, nil
		}
	}
	for _, name := range x.consoles() {
		if !old[name] {
			continue
		}
		c, read := r.console(name), 0
		for i, l := range c.unread {
			if x.takeOld(l) {
				read = i + 1
			}
		}
		for _, l := range c.unread[:read] {
			c.size -= l.event.Size()
		}
		if c.unread = c.unread[read:]; read > 0 {
			c.lost = 0
		}
	}
}

// pending looks at a console's line that has not ended, and from which nothing more
// has come for a while.
func (r *Recorder) pending(name string, p appliance.Pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.console(name)
	if p.Text == "" || p.Line != c.ended || r.expected == nil {
		return // it has ended meanwhile
	}
	if b := (beginning{p.Line, p.Text}); r.expected.takeBeginning(name, b, c.begun) {
		c.begun = b
		c.read()
	}
}

// standing is how it stands with what was armed.
func (r *Recorder) standing(x *expectation) standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return x.standing()
}

// note calls f, which may change what the recorder keeps in a watch.
func (r *Recorder) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// last returns the last n events for which f is true, in order.
func last(list []simbus.Event, n int, f func(*simbus.Event) bool) []*simbus.Event {
	found := make([]*simbus.Event, 0, n)
	for i := len(list) - 1; i >= 0 && len(found) < n; i-- {
		if f(&list[i]) {
			one := list[i]
			found = append(found, &one)
		}
	}
	slices.Reverse(found)
	return found
}

// consoleSince are the lines of all consoles since a time, as text; the last ones
// before, if there are none. said are the last few of them: of some boards, if those
// have said any.
func (r *Recorder) consoleSince(t simbus.Time, boards []string) (lines, said []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := last(r.lines.Last(0), history, func(e *simbus.Event) bool { return e.Time >= t })
	if len(list) == 0 {
		list = last(r.lines.Last(0), tail, func(*simbus.Event) bool { return true })
	}
	lines = make([]string, len(list))
	var theirs []string
	for i, e := range list {
		text, _ := e.Get("line")
		lines[i] = fmt.Sprintf("%s %s %s", e.Time, place(e.Board, e.Part), text)
		if slices.Contains(boards, e.Board) {
			theirs = append(theirs, brief(lines[i]))
		}
	}
	if said = theirs; len(said) == 0 {
		for _, l := range lines {
			said = append(said, brief(l))
		}
	}
	return lines, said[max(0, len(said)-tail):]
}

// lastEvents are the last n events, as text, but for the lines of consoles.
func (r *Recorder) lastEvents(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return texts(last(r.recent.Last(0), n, func(e *simbus.Event) bool { return e.Kind != appliance.KindConsole }))
}

func texts(events []*simbus.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = text(e)
	}
	return list
}

func place(board, part string) string {
	if board == "" || part == "" {
		return board + part
	}
	return board + "." + part
}
