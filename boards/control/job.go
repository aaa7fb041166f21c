package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/guest/agent"
	"backplane/simbus/awake"
)

// job lets a board do something, and its client give input and take output: at its
// own pace, which nobody but the program on the board has to keep to.
func (n *session) job(j record.Job) error {
	j.Open, j.Window = true, Window
	if err := n.booted(j.Board); err != nil {
		return err
	}
	q := newQueue()
	p, err := n.s.app.Start(j, agent.Output{
		Stdout: func(p []byte) { q.add(Reply{Stdout: p}) },
		Stderr: func(p []byte) { q.add(Reply{Stderr: p}) },
		Taken:  func(k int) { q.add(Reply{Taken: k}) },
		Done: func(s agent.Status, err error) {
			last := Reply{Status: s.Code, Mode: s.Mode, Done: true}
			if err != nil {
				last.Error = err.Error()
			}
			q.add(last)
		},
	})
	if err != nil {
		return err
	}
	go func() { q.end(n.give(p, q)) }()
	took := 0
	for {
		r, err := q.next()
		if err != nil || !n.reply(r) {
			p.Cancel()
			return err
		}
		if r.Done {
			return nil
		}
		if took += len(r.Stdout) + len(r.Stderr); took >= Window/4 {
			p.Took(took)
			took = 0
		}
	}
}

// How long, in host time, a job waits for the agent of a board that boots, how often it
// looks, and when it says so.
const (
	bootLimit = time.Minute
	bootLook  = 50 * time.Millisecond
	bootNote  = time.Second
)

// booted waits until a board that boots has an agent that can be asked; one that is off
// has none.
func (n *session) booted(board string) error {
	host, told := awake.Since(time.Now()), false
	for {
		state, err := n.s.app.State(board)
		switch {
		case err != nil:
			return err
		case state == appliance.StateOff:
			if slices.ContainsFunc(n.s.app.States(), func(b appliance.BoardState) bool { return b.Name == board && b.State == appliance.StateUnplugged }) {
				return fmt.Errorf("board %s is not in its slot: plug it", board)
			}
			return fmt.Errorf("board %s is off", board)
		case state != appliance.StateBooting:
			return nil
		}
		r := Reply{} // a client that has gone waits for nothing
		switch waited := host.Elapsed(); {
		case waited > bootLimit:
			return fmt.Errorf("board %s boots: its agent has not reported within %s", board, bootLimit)
		case waited > bootNote && !told:
			r.Note, told = fmt.Sprintf("board %s boots: waiting for its agent, at most %s", board, bootLimit), true
		}
		if !n.reply(r) {
			return errGone
		}
		time.Sleep(bootLook)
	}
}

// give passes on what the client says, until it goes. The error is what it does
// wrong, if that is why.
func (n *session) give(p Program, q *queue) error {
	for room := Window; ; {
		line, err := n.in.ReadSlice('\n')
		if err != nil {
			return errGone
		}
		var in Input
		if err := json.Unmarshal(line, &in); err != nil {
			return fmt.Errorf("invalid input: %w", err)
		}
		if room += q.taken(); len(in.Data) > room {
			return fmt.Errorf("%d bytes of input; at most %d may be sent", len(in.Data), room)
		}
		room -= len(in.Data)
		p.Write(in.Data)
		if in.Terminal != nil {
			p.Resize(*in.Terminal)
		}
		if in.End {
			p.CloseInput()
		}
	}
}

// errGone says that a client has gone: nobody hears of it.
var errGone = errors.New("the client has disconnected")

// queue is what waits for a client. The windows of its job bound it.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	replies []Reply
	credit  int // input that was taken, not yet counted
	over    error
}

func newQueue() *queue {
	q := new(queue)
	q.changed.L = &q.mu
	return q
}

// add is called on the board's goroutine, and never waits.
func (q *queue) add(r Reply) {
	q.mu.Lock()
	q.credit += r.Taken
	if n := len(q.replies); n == 0 || !q.replies[n-1].join(r) {
		q.replies = append(q.replies, r)
	}
	q.changed.Signal()
	q.mu.Unlock()
}

// join adds what another reply says, if that makes one reply as well: a guest that
// sends its output byte by byte makes no more replies of it than one that does not.
func (r *Reply) join(next Reply) bool {
	switch {
	case r.Done || next.Done:
		return false
	case r.Taken > 0 && next.Taken > 0:
		r.Taken += next.Taken
	case len(r.Stdout) > 0 && len(next.Stdout) > 0 && len(r.Stdout)+len(next.Stdout) <= MaxInput:
		r.Stdout = append(r.Stdout, next.Stdout...)
	case len(r.Stderr) > 0 && len(next.Stderr) > 0 && len(r.Stderr)+len(next.Stderr) <= MaxInput:
		r.Stderr = append(r.Stderr, next.Stderr...)
	default:
		return false
	}
	return true
}

// end lets next return an error.
func (q *queue) end(err error) {
	q.mu.Lock()
	q.over = err
	q.changed.Signal()
	q.mu.Unlock()
}

// next waits for the next reply.
func (q *queue) next() (Reply, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.replies) == 0 && q.over == nil {
		q.changed.Wait()
	}
	if q.over != nil {
		return Reply{}, q.over
	}
	r := q.replies[0]
	q.replies = q.replies[1:]
	return r, nil
}

// taken is how much input was taken since it was called last.
func (q *queue) taken() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.credit
	q.credit = 0
	return n
}
