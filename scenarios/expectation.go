package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// expectation is what a step expects, at work: one thing or several. Its Recorder
// guards what changes in it.
type expectation struct {
	watches []*watch
	any     bool // one of them is enough
	closed  bool // its time is over: what happens now does not count
}

// standing is how it stands with an expectation.
type standing uint8

const (
	open   standing = iota
	met             // it has come as expected
	broken          // what must not happen has
)

func newExpectation(e *Expect, vars map[string]string) (*expectation, error) {
	x := &expectation{any: len(e.Any) > 0}
	for _, want := range e.wants() {
		w, err := newWatch(want, vars)
		if err != nil {
			return nil, err
		}
		x.watches = append(x.watches, w)
	}
	return x, nil
}

// standing tells whether the expectation is met: what must not happen has not up to then.
func (x *expectation) standing() standing {
	wanted, done := 0, 0
	for _, w := range x.watches {
		switch {
		case w.never && w.done():
			return broken
		case !w.never && w.done():
			done++
			wanted++
		case !w.never:
			wanted++
		}
	}
	if wanted > 0 && done == wanted || x.any && done > 0 {
		return met
	}
	return open
}

// patient tells whether the expectation is met if nothing happens until its time is over.
func (x *expectation) patient() bool {
	return !slices.ContainsFunc(x.watches, func(w *watch) bool { return !w.never })
}

// each lets the watches look at something as long as nothing is decided, and tells
// whether it is something that was expected to come.
func (x *expectation) each(look func(*watch) bool) (taken bool) {
	if x == nil || x.closed {
		return false
	}
	for _, w := range x.watches {
		if x.standing() == open && look(w) && !w.never {
			taken = true
		}
	}
	return taken
}

// take takes an event of the stream.
func (x *expectation) take(l consoleLine) bool {
	return x.each(func(w *watch) bool { return w.takeLine(l) })
}

// takeOld takes a line of a console from before the step.
func (x *expectation) takeOld(l consoleLine) bool {
	return x.each(func(w *watch) bool { return !w.never && w.takeLine(l) })
}

// takeBeginning takes a line of a console that has not ended; taken is the
// beginning of the same line that a step has had.
func (x *expectation) takeBeginning(console string, b, taken beginning) bool {
	return x.each(func(w *watch) bool { return w.console == console && w.takeBeginning(b, taken) })
}

// consoles are those that the expectation is about.
func (x *expectation) consoles() (names []string) {
	for _, w := range x.watches {
		if w.console != "" && !slices.Contains(names, w.console) {
			names = append(names, w.console)
		}
	}
	return names
}

// captured is what those that have come have caught.
func (x *expectation) captured() map[string]string {
	all := make(map[string]string)
	for _, w := range x.watches {
		if w.never || !w.done() {
			continue
		}
		maps.Copy(all, w.captured)
		if x.any {
			break
		}
	}
	return all
}

// what says in words what is expected.
func (x *expectation) what() string {
	var list []string
	for _, w := range x.watches {
		list = append(list, w.what)
	}
	if x.any {
		return strings.Join(list, ", or ")
	}
	return strings.Join(list, ", and ")
}

// seenLines lists what there was to see of the things that are expected. pending has the
// consoles' lines that have not ended.
func (x *expectation) seenLines(pending map[string]string) (lines []string) {
	for _, w := range x.watches {
		one := w.seenLines(pending[w.console])
		if len(one) == 0 {
			one = []string{"nothing"}
		}
		if len(x.watches) > 1 {
			lines = append(lines, fmt.Sprintf("%s: %s", w.what, map[bool]string{true: "yes", false: "not so"}[w.done() != w.never]))
			for i := range one {
				one[i] = "  " + one[i]
			}
		}
		lines = append(lines, one...)
	}
	return lines
}

func (w *watch) seenLines(pending string) (lines []string) {
	if w.path != "" {
		lines = append(lines, fmt.Sprintf("%s is %s", w.path, w.value))
	}
	if w.count > 1 {
		lines = append(lines, fmt.Sprintf("it happened %d times", w.seen))
	}
	lines = append(lines, texts(w.last)...)
	if pending != "" {
		lines = append(lines, fmt.Sprintf("%s has a line that has not ended: %q", w.console, pending))
	}
	return lines
}
