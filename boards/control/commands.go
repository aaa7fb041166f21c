package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"backplane/boards/appliance"
	"backplane/boards/record"
)

// commands are those that are no actions. Each ends with a reply that has Done set, or an error.
var commands = map[string]func(*session, *Request) error{
	"ps":   func(n *session, _ *Request) error { return n.data(n.s.app.States()) },
	"net":  func(n *session, _ *Request) error { return n.data(n.s.app.Counts()) },
	"list": func(n *session, _ *Request) error { return n.data(n.s.app.Readings()) },
	"places": func(n *session, r *Request) error {
		return n.data(n.s.app.Places(r.Path))
	},
	"get": (*session).get,
	"exec": func(n *session, r *Request) error {
		return n.job(record.Job{Do: record.DoExec, Board: r.Path, Args: r.Args, Env: r.Env, Terminal: r.Terminal})
	},
	"put": func(n *session, r *Request) error {
		return n.job(record.Job{Do: record.DoPut, Board: r.Path, File: r.Value, Mode: r.Mode})
	},
	"fetch": func(n *session, r *Request) error {
		return n.job(record.Job{Do: record.DoFetch, Board: r.Path, File: r.Value})
	},
	"console": (*session).console,
	"serial":  (*session).serial,
	"events":  (*session).events,
	"logs":    (*session).logs,
	"capture": (*session).capture,
	"wait":    (*session).wait,
	"down": func(n *session, _ *Request) error {
		n.await()
		n.s.once.Do(func() { close(n.s.down) })
		return nil
	},
}

// data answers with one value.
func (n *session) data(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	n.reply(Reply{Data: b})
	n.reply(Reply{Done: true})
	return nil
}

// get answers with a property, or with those of a board, part or link.
func (n *session) get(r *Request) error {
	v, unit, err := n.s.app.Get(r.Path)
	if err == nil {
		return n.data([]appliance.Reading{{Path: r.Path, Value: v, Unit: unit}})
	}
	of := slices.DeleteFunc(n.s.app.Readings(), func(p appliance.Reading) bool {
		return !strings.HasPrefix(p.Path, r.Path+".") && !strings.HasPrefix(p.Path, r.Path+":")
	})
	if len(of) == 0 {
		return err
	}
	return n.data(of)
}

// What a client can wait for.
const (
	Up  = "up"  // boards are
	Off = "off" // boards are
	End = "end" // the appliance's, when all is written
)

// wait waits until all boards that it names, or all that are not out of their slots, are
// in a state; or for the end.
func (n *session) wait(r *Request) error {
	if r.Value == End {
		n.await()
		return nil
	}
	names := r.Args
	if len(names) == 0 {
		for _, b := range n.s.app.States() {
			if b.State != appliance.StateUnplugged {
				names = append(names, b.Name)
			}
		}
	}
	follow := n.s.subscribe()
	defer func() { n.s.unsubscribe(follow) }()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = n.in.ReadByte()
	}()
	for {
		names = slices.Clone(names)
		var failed error
		names = slices.DeleteFunc(names, func(board string) bool {
			there, err := n.reached(board, r.Value)
			failed = errors.Join(failed, err)
			return there
		})
		if failed != nil {
			return failed
		}
		if len(names) == 0 {
			n.reply(Reply{Done: true})
			return nil
		}
		for changed := false; !changed; {
			select {
			case e, ok := <-follow:
				if changed = !ok || e.Kind == appliance.KindGuest; !ok { // too many at once: one may be missing
					follow = n.s.subscribe()
				}
			case <-gone:
				return nil
			}
		}
	}
}

// reached tells whether a board is in a state. A board that has failed does not get
// anywhere by itself.
func (n *session) reached(board, want string) (bool, error) {
	state, err := n.s.app.State(board)
	switch {
	case err != nil:
		return false, err
	case want == Up && state == appliance.StateUp, want == Off && state == appliance.StateOff:
		return true, nil
	case want != Up && want != Off:
		return false, fmt.Errorf("%q is not a state to wait for: use up, off or end", want)
	case state == appliance.StatePanic, state == appliance.StateLost, state == appliance.StateStuck && want == Up:
		return false, fmt.Errorf("board %s cannot come to be %s: %s", board, want, state)
	}
	return false, nil
}
