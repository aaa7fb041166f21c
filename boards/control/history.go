package control

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/simbus"
)

// Event shows an event to those who follow. It never waits for a slow one,
// whose connection ends instead.
func (s *Server) Event(e *simbus.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history.Add(e)
	if e.Kind == appliance.KindConsole {
		where := e.Board + ":" + e.Part
		if s.log[where] == nil {
			s.log[where] = simbus.NewRecent(logLength, logBytes)
		}
		s.log[where].Add(e)
	}
	for ch, c := range s.follow {
		select {
		case ch <- *e:
		default:
			delete(s.follow, ch)
			close(ch)
			if c != nil { // what it has not read yet comes before the reason
				_ = c.SetWriteDeadline(time.Now().Add(s.limits.slow))
			}
		}
	}
}

// subscribe returns a channel of all events from now on, which is closed if nobody
// reads them.
func (s *Server) subscribe() chan simbus.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subscribeLocked(nil)
}

// subscribeLocked is subscribe for who holds the lock; c, if not nil, is the client to
// which the events go.
func (s *Server) subscribeLocked(c net.Conn) chan simbus.Event {
	ch := make(chan simbus.Event, followEvents)
	s.follow[ch] = c
	return ch
}

func (s *Server) unsubscribe(ch chan simbus.Event) {
	s.mu.Lock()
	delete(s.follow, ch)
	s.mu.Unlock()
}

// events shows the last events, and those that come if the client follows.
func (n *session) events(r *Request) error {
	return n.show(r.Follow, func(*simbus.Event) bool { return true },
		func() []simbus.Event { return n.s.history.Last(r.Lines) })
}

// consoleNamed says that there is no such board, or that it has no such console.
func (n *session) consoleNamed(board, part string) error {
	if list := n.s.app.Places("board"); !slices.Contains(list, board) {
		return &boards.UnknownError{What: "board", Name: board, Known: list}
	}
	var parts []string
	for _, place := range n.s.app.Places("console") {
		if p, ok := strings.CutPrefix(place, board+":"); ok {
			parts = append(parts, p)
		}
	}
	if !slices.Contains(parts, part) {
		return fmt.Errorf("board %s: %w", board, &boards.UnknownError{What: "console", Name: part, Known: parts})
	}
	return nil
}

// logs shows the last lines of consoles, and those that come if the client follows.
func (n *session) logs(r *Request) error {
	want := make(map[string]bool)
	for _, place := range r.Args {
		board, part := boards.ConsolePlace(place)
		if err := n.consoleNamed(board, part); err != nil {
			return err
		}
		want[board+":"+part] = true
	}
	if len(r.Args) == 0 {
		for _, b := range n.s.app.Places("board") {
			want[b+":"+boards.MainConsole] = true
		}
	}
	return n.show(r.Follow, func(e *simbus.Event) bool { return e.Kind == appliance.KindConsole && want[e.Board+":"+e.Part] },
		func() (past []simbus.Event) {
			for where := range want {
				past = append(past, n.s.log[where].Last(r.Lines)...)
			}
			slices.SortStableFunc(past, func(a, b simbus.Event) int {
				return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Board, b.Board), strings.Compare(a.Part, b.Part))
			})
			return past
		})
}

// show shows what was, and then what comes, without a gap.
func (n *session) show(follow bool, want func(*simbus.Event) bool, past func() []simbus.Event) error {
	s := n.s
	var ch chan simbus.Event
	s.mu.Lock()
	list := past()
	if follow {
		ch = s.subscribeLocked(n.c)
		defer s.unsubscribe(ch)
	}
	s.mu.Unlock()
	for i := range list {
		if !n.reply(Reply{Event: list[i].AppendJSON(nil)}) {
			return nil
		}
	}
	if !follow {
		n.reply(Reply{Done: true})
		return nil
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = n.in.ReadByte()
	}()
	for {
		select {
		case e, ok := <-ch:
			if !ok {
				return errors.New("events come faster than they can be shown here")
			}
			if want(&e) && !n.reply(Reply{Event: e.AppendJSON(nil)}) {
				return nil
			}
		case <-gone:
			return nil
		}
	}
}
