package scenarios

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"backplane/simbus"
)

// action says what the step does, in words.
func (st *Step) action() string {
	switch {
	case len(st.Set) > 0:
		var list []string
		for _, path := range slices.Sorted(maps.Keys(st.Set)) {
			text, _ := format(st.Set[path])
			list = append(list, path+" = "+text)
		}
		return "set " + strings.Join(list, ", ")
	case st.Press != "":
		return "press " + st.Press
	case st.Send != nil:
		if st.Send.Hex != "" {
			return fmt.Sprintf("send the bytes %s to %s", st.Send.Hex, st.Send.To)
		}
		return fmt.Sprintf("send %q to %s", st.Send.Text, st.Send.To)
	case st.Exec != nil:
		return fmt.Sprintf("run %q on %s", strings.Join(st.Exec.Command, " "), st.Exec.Board)
	case st.Cut != "":
		return "cut " + st.Cut
	case st.Restore != "":
		return "restore " + st.Restore
	case st.PowerOn != "":
		return "power " + st.PowerOn + " on"
	case st.PowerOff != "":
		return "power " + st.PowerOff + " off"
	case st.PullPlug != "":
		return "pull the plug of " + st.PullPlug
	}
	return ""
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
	in := func(text string) string { return expand(text, r.vars, plain) }
	var err error
	switch {
	case len(st.Set) > 0:
		err = r.set(st.Set)
	case st.Press != "":
		ms := strconv.FormatFloat(time.Duration(st.Hold).Seconds()*1e3, 'f', -1, 64)
		err = r.app.Set(in(st.Press)+".press", ms)
	case st.Send != nil:
		err = r.send(in(st.Send.To), in(st.Send.Text), in(st.Send.Hex))
	case st.Exec != nil:
		return r.exec(ctx, st, captured)
	case st.Cut != "":
		err = r.app.Cut(in(st.Cut))
	case st.Restore != "":
		err = r.app.Restore(in(st.Restore))
	case st.PowerOn != "":
		err = r.app.PowerOn(in(st.PowerOn))
	case st.PowerOff != "":
		err = r.app.PowerOff(in(st.PowerOff))
	case st.PullPlug != "":
		err = r.app.PullPlug(in(st.PullPlug))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", st.action(), err)
	}
	return nil
}

// send sends text, or the bytes that hex tells of if there is no text.
func (r *runner) send(to, text, hex string) error {
	p := []byte(text)
	if hex != "" {
		var err error
		if p, err = parseHex(hex); err != nil {
			return err
		}
	}
	return r.app.Send(to, p)
}

// set sets properties, in the order of their paths.
func (r *runner) set(values map[string]any) error {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		text, _ := format(values[path])
		if err := r.app.Set(expand(path, r.vars, plain), expand(text, r.vars, plain)); err != nil {
			return err
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
	case p.err != nil && st.Expect != nil && st.Expect.about(simbus.KindGuest):
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
	return append([]string{state}, output[max(0, len(output)-tail):]...)
}
