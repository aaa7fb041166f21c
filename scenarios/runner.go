package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/simbus"
)

// Appliance is what a scenario plays on. Paths are board.part.property, or
// board.controller.line for a GPIO line.
type Appliance interface {
	// Boards names the boards, and State tells the state of one: one of the
	// State constants of package boards.
	Boards() []string
	State(board string) (string, error)
	Now() simbus.Time
	// Advance lets the appliance run until a time, or until stop has returned
	// true for an event, and tells which. In virtual time the appliance stands
	// still outside it. stop may be called on any goroutine, one call at a time.
	Advance(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (stopped bool, err error)
	// Emit puts an event of the scenario's own into the stream.
	Emit(simbus.Event)
	// Get reads a property, or a GPIO line as "0" or "1".
	Get(path string) (value, unit string, err error)
	// Do does an action.
	Do(appliance.Action) error
	// Pending is the line of a console or UART that has not ended.
	Pending(path string) (appliance.Pending, error)
	// Exec starts a program on a board. The functions are called while Advance
	// runs, done last; an event of kind "exec" follows it.
	Exec(board string, args []string, stdin []byte, stdout, stderr func([]byte), done func(status int, err error)) (cancel func(), err error)
}

// Options say how to play a scenario.
type Options struct {
	// Recorder is the scenario's, which must have been told of the appliance's events from
	// the start.
	Recorder *Recorder
	// OnBegin and OnStep, if not nil, are called before and after each step that is
	// played, by the scenario or by its player.
	OnBegin, OnStep func(StepResult)
	// Until is where the run stops: the steps after it are skipped.
	Until Until
	// OnStart, if not nil, is called by [Play] when the appliance has been switched on, and
	// end before it is closed.
	OnStart func(*appliance.Running) (end func(), err error)
	// Seated says that somebody else is the player: the scenario's own is left out.
	Seated bool
}

// glance is how often a present state is read while it is waited for, which
// counts for properties that tell of no change. In real time it is also how late
// an event can be noticed that comes in just before Advance listens.
const glance = 100 * time.Millisecond

// tail is how many of the last events a failure tells of.
const tail = 10

// Run plays the scenario, from wherever the appliance is in time, up to the
// first step that fails. Before the first step it waits for the boards that were
// switched on to come up; from then on its player plays beside it. All that goes wrong is
// in the report.
func Run(ctx context.Context, app Appliance, s *Scenario, o Options) *Report {
	r := &runner{app: app, rec: o.Recorder, end: simbus.Never, until: simbus.Never, vars: make(map[string]string)}
	if s.Timeout > 0 {
		r.end = simbus.Time(s.Timeout)
	}
	if o.Until.time > 0 {
		r.until = o.Until.time
	}
	report := newReport(s, app.Now())
	leave := func() []StepResult { return nil }
	boot := act{name: "the boards come up", play: func(*StepResult) error {
		err := r.boot(ctx, or(s.Boot, DefaultBoot))
		if err == nil && len(s.player) > 0 && !o.Seated {
			leave = r.invite(ctx, s, &o)
		}
		return err
	}}
	report.Steps, report.Result = r.all(ctx, append([]act{boot}, r.acts(ctx, s.turns())...), &o)
	report.Player = leave()
	report.End = app.Now()
	return report
}

type runner struct {
	app    Appliance
	rec    *Recorder
	end    simbus.Time // of the scenario, at the latest
	until  simbus.Time // where it stops
	vars   map[string]string
	player bool // and not the scenario
	over   bool // the player has to leave
}

// act is something to play: a step, or the boards' coming up.
type act struct {
	name, where string
	about       func() []string // the boards that it names
	play        func(*StepResult) error
}

// acts are steps to play.
func (r *runner) acts(ctx context.Context, turns []turn) []act {
	list := make([]act, len(turns))
	for i, st := range turns {
		list[i] = act{st.title, st.where(), func() []string { return st.boards(r.vars) },
			func(result *StepResult) error { return r.step(ctx, st.Step, result) }}
	}
	return list
}

// all plays acts up to the first that fails, or to where the run stops, and tells of each.
func (r *runner) all(ctx context.Context, acts []act, o *Options) (results []StepResult, outcome string) {
	outcome = Passed
	stopped, first, who := false, 0, ""
	if r.player {
		first, who = 1, "player "
	}
	for i, a := range acts {
		result := StepResult{Step: i + first, Player: r.player, Name: a.name, Where: a.where, Result: Skipped}
		if outcome == Passed && !stopped {
			if result.Start = r.app.Now(); o.OnBegin != nil {
				o.OnBegin(result)
			}
			if stopped = r.play(a, &result) || !r.player && o.Until.after(result.Step, result.Result); result.Result == Skipped {
				break
			}
			r.app.Emit(simbus.Event{Kind: KindStep, Attrs: []simbus.Attr{
				simbus.Text("step", who+strconv.Itoa(result.Step)+" "+result.Name), simbus.Text("result", result.Result)}})
			if o.OnStep != nil {
				o.OnStep(result)
			}
			outcome = result.Result
		}
		results = append(results, result)
	}
	return results, outcome
}

// play plays one of them, and tells whether the run is to stop in it.
func (r *runner) play(a act, result *StepResult) (stop bool) {
	begin := time.Now()
	err := a.play(result)
	result.End, result.Wall = r.app.Now(), time.Since(begin)
	if r.over || r.app.Now() >= r.until {
		return true
	}
	if result.Result = Passed; err == nil {
		return false
	}
	result.Result = Failed
	if !errors.As(err, &result.Failure) {
		result.Failure = &Failure{What: err.Error()}
	}
	var about []string
	if a.about != nil {
		about = a.about()
	}
	result.Failure.Events = r.rec.lastEvents(tail)
	result.Failure.Console, result.Failure.said = r.rec.consoleSince(result.Start, about)
	result.Failure.escape()
	return false
}

// bootGlance is how often the boards' states are looked at while they come up.
const bootGlance = 10 * time.Millisecond

// boot waits until every board that was switched on has come up.
func (r *runner) boot(ctx context.Context, within time.Duration) error {
	limit := r.app.Now().Add(within)
	for {
		waiting := ""
		for _, b := range r.app.Boards() {
			state, err := r.app.State(b)
			if err != nil {
				return err
			}
			if state == appliance.StateBooting {
				waiting = b
			}
		}
		if waiting == "" {
			return r.advance(ctx, r.app.Now(), nil)
		}
		if r.app.Now() >= limit {
			return fmt.Errorf("board %s did not come up within %s", waiting, within)
		}
		if err := r.advance(ctx, min(limit, r.app.Now().Add(bootGlance)), func() bool { return false }); err != nil {
			return err
		}
	}
}

func or(d boards.Duration, otherwise time.Duration) time.Duration {
	if d > 0 {
		return time.Duration(d)
	}
	return otherwise
}

func (r *runner) step(ctx context.Context, st *Step, result *StepResult) error {
	if err := r.reach(ctx, st); err != nil {
		return err
	}
	result.Captured = make(map[string]string)
	var x *expectation
	if st.Expect != nil {
		var err error
		if x, err = r.arm(st); err != nil {
			return err
		}
		defer r.rec.arm(nil, false, nil)
	}
	if err := r.act(ctx, st, result.Captured); err != nil {
		return err
	}
	if x != nil {
		if err := r.await(ctx, x, time.Duration(st.Expect.Within)); err != nil {
			return err
		}
		maps.Copy(result.Captured, x.captured())
	}
	for k, v := range result.Captured {
		r.vars[k] = v
	}
	return nil
}

// arm begins to look for what a step expects.
func (r *runner) arm(st *Step) (*expectation, error) {
	x, err := newExpectation(st.Expect, r.vars)
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	before := make(map[string]appliance.Pending)
	for _, name := range x.consoles() {
		if before[name], err = r.app.Pending(name); err != nil {
			return nil, err
		}
	}
	r.rec.arm(x, st.action() != "", before)
	return x, nil
}

// reach lets the time come at which the step acts.
func (r *runner) reach(ctx context.Context, st *Step) error {
	until := r.app.Now().Add(time.Duration(st.Wait))
	if st.At != nil {
		until = simbus.Time(*st.At)
	}
	for r.app.Now() < until {
		if err := r.advance(ctx, until, func() bool { return false }); err != nil {
			return err
		}
	}
	return r.advance(ctx, r.app.Now(), nil)
}

// advance lets the appliance run until done, which is asked at each event, or
// until a time. It fails if a board is lost or the scenario's time is up.
func (r *runner) advance(ctx context.Context, until simbus.Time, done func() bool) error {
	if until = min(until, r.end, r.until); r.app.Now() < until {
		_, err := r.app.Advance(ctx, until, func(*simbus.Event) bool { return done() || r.rec.lost() != "" })
		if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
			return errors.New("interrupted")
		} else if cause != nil {
			return cause
		}
		if err != nil {
			return fmt.Errorf("run the appliance: %w", err)
		}
	}
	if loss := r.rec.lost(); loss != "" {
		return errors.New(loss)
	}
	if r.app.Now() >= r.until {
		return errUntil
	}
	if r.app.Now() >= r.end {
		return fmt.Errorf("the scenario's timeout of %s is over", time.Duration(r.end))
	}
	return nil
}

// await lets the appliance run until what is expected has happened.
func (r *runner) await(ctx context.Context, x *expectation, within time.Duration) error {
	limit := r.app.Now().Add(within)
	decided := func() bool { return r.rec.standing(x) != open }
	for {
		quiet, err := r.look(x, limit)
		if err != nil {
			return err
		}
		now := r.app.Now()
		switch s := r.rec.standing(x); {
		case s == met:
			return nil
		case s == broken:
			return &Failure{What: fmt.Sprintf("expected %s within %s, until %s: it came", x.what(), within, limit), Seen: r.seen(x)}
		case now >= limit && quiet <= now:
			if x.patient() {
				return nil
			}
			return &Failure{What: fmt.Sprintf("expected %s within %s, until %s", x.what(), within, limit), Seen: r.seen(x)}
		case now >= limit:
			r.rec.note(func() { x.closed = true })
		}
		until := now.Add(glance)
		if now < limit {
			until = min(until, limit)
		}
		if quiet > now {
			until = min(until, quiet)
		}
		if err := r.advance(ctx, until, decided); err != nil && !decided() {
			return &Failure{What: fmt.Sprintf("%v\nwhile it expected %s", err, x.what()), Seen: r.seen(x)}
		}
	}
}

// look looks at the present state of what is expected. It returns when a console
// will have been quiet for long enough to take the line that it has begun for a
// prompt, if that had come by the limit; a time that is over if there is none.
func (r *runner) look(x *expectation, limit simbus.Time) (quiet simbus.Time, err error) {
	for _, w := range x.watches {
		if err := w.look(r.app, r.rec); err != nil {
			return 0, err
		}
	}
	for _, name := range x.consoles() {
		p, err := r.app.Pending(name)
		switch {
		case err != nil:
			return 0, err
		case p.Text == "" || p.Since > limit:
		case p.Quiet > r.app.Now():
			if quiet == 0 || p.Quiet < quiet {
				quiet = p.Quiet
			}
		default:
			r.rec.note(func() { x.closed = false })
			r.rec.pending(name, p)
		}
	}
	return quiet, nil
}

// seen lists what there was to see of the things that are expected.
func (r *runner) seen(x *expectation) (lines []string) {
	pending := make(map[string]string)
	for _, name := range x.consoles() {
		if p, err := r.app.Pending(name); err == nil {
			pending[name] = p.Text
		}
	}
	r.rec.note(func() { lines = x.seenLines(pending) })
	return append(lines, r.rec.forgotten(x.consoles())...)
}

// title is what reports call a step: its name, or what it does.
func (st *Step) title() string {
	if st.Name != "" {
		return st.Name
	}
	var parts []string
	if a := st.action(); a != "" {
		parts = append(parts, a)
	}
	if st.Expect != nil {
		var list []string
		for _, w := range st.Expect.wants() {
			list = append(list, w.title())
		}
		between := " and "
		if len(st.Expect.Any) > 0 {
			between = " or "
		}
		parts = append(parts, "expect "+strings.Join(list, between))
	}
	switch {
	case len(parts) > 0:
	case st.At != nil:
		parts = append(parts, fmt.Sprintf("wait until %s", time.Duration(*st.At)))
	default:
		parts = append(parts, fmt.Sprintf("wait %s", time.Duration(st.Wait)))
	}
	return strings.Join(parts, ", ")
}
