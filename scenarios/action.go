package scenarios

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"
)

// action says what the step does, in words.
func (st *Step) action() string {
	if e := st.Exec; e != nil {
		return fmt.Sprintf("run %q on %s", strings.Join(e.Command, " "), e.Board)
	}
	var list []string
	for i := range st.deeds {
		words := st.deeds[i].words()
		if i > 0 {
			words = strings.TrimPrefix(words, st.deeds[i].kind.Name+" ")
		}
		list = append(list, words)
	}
	return strings.Join(list, ", ")
}

// title says what is expected, in words, before anything is captured.
func (e *Want) title() string {
	switch {
	case e.Console != "":
		return fmt.Sprintf("%q on %s", e.Match, e.Console)
	case e.Property != "":
		return e.Property
	case e.Line != "" && e.Level != nil:
		return fmt.Sprintf("%s at level %d", e.Line, *e.Level)
	case e.Line != "":
		return "an edge on " + e.Line
	case e.Frames != "":
		return "a frame on " + e.Frames
	}
	return fmt.Sprintf("an event %q", e.Event)
}

// act does what the step does. What it captures goes into captured.
func (r *runner) act(ctx context.Context, st *Step, captured map[string]string) error {
	if st.Exec != nil {
		return r.exec(ctx, st, captured)
	}
	for i := range st.deeds {
		x, err := st.deeds[i].action(r.vars)
		if err == nil {
			err = r.app.Do(x)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", st.action(), err)
		}
	}
	return nil
}

// program is one that runs on a board.
type program struct {
	mu     sync.Mutex
	output strings.Builder
	ended  bool
	status int
	err    error
}

// maxOutput is how much of a program's output is kept, in bytes.
const maxOutput = 1 << 20

func (p *program) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.output.Write(b[:min(len(b), maxOutput-p.output.Len())])
}

func (p *program) end(status int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.status, p.err = true, status, err
}

func (p *program) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// exec runs a program and waits for its end.
func (r *runner) exec(ctx context.Context, st *Step, captured map[string]string) error {
	e, p := st.Exec, new(program)
	args := make([]string, len(e.Command))
	for i, a := range e.Command {
		args[i] = expand(a, r.vars, plain)
	}
	board := expand(e.Board, r.vars, plain)
	what := fmt.Sprintf("%q on %s", strings.Join(args, " "), board)
	cancel, err := r.app.Exec(board, args, []byte(expand(e.Stdin, r.vars, plain)), p.write, p.write, p.end)
	if err != nil {
		return fmt.Errorf("run %s: %w", what, err)
	}
	limit := r.app.Now().Add(time.Duration(e.Timeout))
	for !p.done() && r.app.Now() < limit {
		if err = r.advance(ctx, min(limit, r.app.Now().Add(glance)), p.done); err != nil {
			break
		}
	}
	if !p.done() {
		cancel()
	}
	if err != nil {
		return fmt.Errorf("%w\nwhile %s ran", err, what)
	}
	return r.judge(st, p, what, limit, captured)
}

// judge looks at how a program has ended.
func (r *runner) judge(st *Step, p *program, what string, limit simbus.Time, captured map[string]string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, output := st.Exec, p.output.String()
	fail := func(format string, args ...any) error {
		return &Failure{What: fmt.Sprintf(format, args...), Seen: p.lines()}
	}
	switch {
	case !p.ended:
		return fail("expected %s to end within %s, until %s", what, time.Duration(e.Timeout), limit)
	case p.err != nil && st.Expect != nil && st.Expect.about(appliance.KindGuest):
		return nil // its board went, which is what the step is about
	case p.err != nil && (p.status == 0 || p.status != e.Status): // it has one if it could not be started
		return fail("run %s: %v", what, p.err)
	case p.status != e.Status:
		return fail("expected %s to end with status %d", what, e.Status)
	}
	re, err := pattern(lines+e.Output, r.vars)
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	if !groups(re, output, captured) {
		return fail("expected output that matches %q of %s", strings.TrimPrefix(re.String(), lines), what)
	}
	return nil
}

// lines are the status and the last lines of the output.
func (p *program) lines() []string {
	state := "it runs"
	switch {
	case p.err != nil && p.status == 0:
		state = "it has no status"
	case p.ended:
		state = fmt.Sprintf("status %d", p.status)
	}
	output := strings.Split(strings.TrimRight(p.output.String(), "\n"), "\n")
	if len(output) == 1 && output[0] == "" {
		return []string{state + ", no output"}
	}
	if n := len(output) - tail; n > 0 {
		state += fmt.Sprintf(", and the last %d lines of %d:", tail, len(output))
		output = output[n:]
	}
	return append([]string{state}, output...)
}
