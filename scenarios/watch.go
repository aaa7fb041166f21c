package scenarios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/periph/gpio"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// shown is how many events about the thing that was expected a failure tells of.
const shown = 5

// watch is one thing that is expected, at work. Its Recorder guards what changes in it.
type watch struct {
	what    string                                                 // in words
	console string                                                 // board.part of the console that it is about, else empty
	match   *regexp.Regexp                                         // what a line of that must match
	touches func(*simbus.Event) bool                               // whether an event is about the same thing
	wanted  func(e *simbus.Event, captured map[string]string) bool // of those that are, whether it is what is expected
	path    string                                                 // property or line whose present state counts, too
	holds   func(value string) bool
	capture string // name for the property's value
	count   int
	never   bool

	seen     int
	captured map[string]string
	last     []*simbus.Event // the last ones that touch
	value    string          // the present state when it was last read
	begun    beginning       // of a line of the console that it has looked at, or that was there before
}

// beginning is the beginning of a console's line, and which line of the console's
// that is. What matches it has been seen: the whole line does not count again.
type beginning struct {
	line int
	text string
}

// again tells whether a line that has this beginning would count a second time.
func (b beginning) again(line int, re *regexp.Regexp) bool {
	return b.text != "" && b.line == line && re.MatchString(b.text)
}

// done tells whether it has happened as often as it was looked for.
func (w *watch) done() bool { return w.seen >= w.count }

// take looks at an event and tells whether it counted.
func (w *watch) take(e *simbus.Event) bool {
	if w.done() || !w.touches(e) {
		return false
	}
	w.note(e)
	if !w.wanted(e, w.captured) {
		return false
	}
	w.seen++
	return true
}

func (w *watch) note(e *simbus.Event) {
	own := *e // and not those that came with it
	if w.last = append(w.last, &own); len(w.last) > shown {
		w.last = append(w.last[:0], w.last[1:]...)
	}
}

// takeLine is take for a line of a console, whose beginning may have come before.
func (w *watch) takeLine(l consoleLine) bool {
	if w.console != "" && !w.done() && (l.begun.again(l.number, w.match) || w.begun.again(l.number, w.match)) {
		if w.touches(l.event) {
			w.note(l.event)
		}
		return false
	}
	return w.take(l.event)
}

// takeBeginning looks at a line of its console that has not ended.
func (w *watch) takeBeginning(b, taken beginning) bool {
	if w.done() || taken.again(b.line, w.match) || w.begun.again(b.line, w.match) || !groups(w.match, b.text, w.captured) {
		return false
	}
	w.begun = b
	w.seen++
	return true
}

// look reads the present state.
func (w *watch) look(app Appliance, rec *Recorder) error {
	if w.path == "" {
		return nil
	}
	value, _, err := app.Get(w.path)
	if err != nil {
		return err
	}
	rec.note(func() {
		w.value = value
		if w.seen == 0 && w.holds(value) {
			w.seen++
			w.caught(value, w.captured)
		}
	})
	return nil
}

func (w *watch) caught(value string, captured map[string]string) {
	if w.capture != "" {
		captured[w.capture] = value
	}
}

// newWatch makes a watch of one thing that a step expects.
func newWatch(e *Want, vars map[string]string) (w *watch, err error) {
	w = &watch{count: e.Count, never: e.Never, capture: e.Capture, captured: make(map[string]string)}
	in := func(text string) string { return expand(text, vars, plain) }
	switch {
	case e.Console != "":
		err = w.onConsole(in(e.Console), e.Match, vars)
	case e.Property != "":
		w.onProperty(in(e.Property), e, vars)
	case e.Line != "":
		w.onLine(in(e.Line), e)
	case e.Frames != "":
		err = w.onFrames(in(e.Frames), in(e.From), e.Match, vars)
	default:
		err = w.onEvent(in(e.Event), e.Where, vars)
	}
	switch {
	case w.never && w.count > 1:
		w.what = fmt.Sprintf("%s fewer than %d times", w.what, w.count)
	case w.never:
		w.what = w.not()
	case w.count > 1:
		w.what = fmt.Sprintf("%d times %s", w.count, w.what)
	}
	return w, err
}

// not says in words that it must not happen.
func (w *watch) not() string {
	for _, article := range []string{"a ", "an "} {
		if thing, ok := strings.CutPrefix(w.what, article); ok {
			return "no " + thing
		}
	}
	return "never " + w.what // a property, or a line's level
}

// about makes a test of an event's kind and place, and of one attribute.
func about(kind, path, key, value string) func(*simbus.Event) bool {
	board, part, _ := strings.Cut(path, ".")
	return func(e *simbus.Event) bool {
		if e.Kind != kind || e.Board != board || e.Part != part {
			return false
		}
		if key == "" {
			return true
		}
		v, _ := e.Get(key)
		return v == value
	}
}

func (w *watch) onConsole(console, match string, vars map[string]string) error {
	if !strings.Contains(console, ".") {
		console += "." + boards.MainConsole
	}
	re, err := pattern(match, vars)
	if err != nil {
		return err
	}
	w.console, w.match = console, re
	w.what = fmt.Sprintf("a line that matches %q on %s", re, console)
	w.touches = about(appliance.KindConsole, console, "", "")
	w.wanted = func(e *simbus.Event, captured map[string]string) bool {
		line, _ := e.Get("line")
		return groups(re, line, captured)
	}
	return nil
}

func (w *watch) onProperty(path string, e *Want, vars map[string]string) {
	t := &test{above: e.Above, below: e.Below, between: e.Between}
	if e.Equals != nil {
		text := expand(e.Equals.String(), vars, plain)
		t.equals = &text
	}
	i := strings.LastIndexByte(path, '.')
	w.what = fmt.Sprintf("%s %s", path, t)
	w.path, w.holds = path, t.holds
	w.touches = about(periph.KindProperty, path[:max(i, 0)], "name", path[i+1:])
	w.wanted = func(e *simbus.Event, captured map[string]string) bool {
		value, _ := e.Get("value")
		if !t.holds(value) {
			return false
		}
		w.caught(value, captured)
		return true
	}
}

// edges are the levels after an edge of each kind.
var edges = map[string]string{"rising": "1", "falling": "0", "both": "01"}

func (w *watch) onLine(path string, e *Want) {
	i := strings.LastIndexByte(path, '.')
	byName := about(gpio.KindLevel, path[:max(i, 0)], "line", path[i+1:])
	byNumber := about(gpio.KindLevel, path[:max(i, 0)], "number", path[i+1:])
	w.touches = func(e *simbus.Event) bool { return byName(e) || byNumber(e) }
	after := edges[e.Edge]
	w.what = fmt.Sprintf("a %s edge on %s", e.Edge, path)
	switch {
	case e.Level != nil:
		after = strconv.Itoa(*e.Level)
		w.what = fmt.Sprintf("%s at level %s", path, after)
		w.path, w.holds = path, func(value string) bool { return value == after }
	case e.Edge == "both":
		w.what = "an edge on " + path
	}
	w.wanted = func(e *simbus.Event, _ map[string]string) bool {
		level, _ := e.Get("level")
		return strings.Contains(after, level)
	}
}

func (w *watch) onFrames(segment, from, match string, vars map[string]string) error {
	re, err := pattern(match, vars)
	if err != nil {
		return err
	}
	w.what = "a frame on " + segment
	if from != "" {
		w.what += " from " + from
	}
	if match != "" {
		w.what += fmt.Sprintf(" that matches %q", re)
	}
	w.touches = func(e *simbus.Event) bool { return e.Kind == ether.KindFrame && e.Part == segment }
	w.wanted = func(e *simbus.Event, captured map[string]string) bool {
		if port, _ := e.Get("from"); from != "" && port != from {
			return false
		}
		summary, _ := e.Get("summary")
		return groups(re, summary, captured)
	}
	return nil
}

func (w *watch) onEvent(kind string, where map[string]string, vars map[string]string) error {
	w.what = fmt.Sprintf("an event %q", kind)
	keys := slices.Sorted(maps.Keys(where))
	res := make([]*regexp.Regexp, len(keys))
	for i, key := range keys {
		re, err := pattern(where[key], vars)
		if err != nil {
			return err
		}
		res[i] = re
		w.what += fmt.Sprintf("%s %s matches %q", [...]string{" whose", " and"}[min(i, 1)], key, re)
	}
	w.touches = func(e *simbus.Event) bool { return e.Kind == kind }
	w.wanted = func(e *simbus.Event, captured map[string]string) bool {
		found := make(map[string]string)
		for i, key := range keys {
			if value, ok := attribute(e, key); !ok || !groups(res[i], value, found) {
				return false
			}
		}
		for k, v := range found {
			captured[k] = v
		}
		return true
	}
	return nil
}

// attribute is an attribute of an event, or its board or part.
func attribute(e *simbus.Event, key string) (string, bool) {
	switch key {
	case "board":
		return e.Board, true
	case "part":
		return e.Part, true
	}
	return e.Get(key)
}
