package scenarios

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/tomlfile"
	"backplane/periph"
)

// checker finds what is wrong with a scenario, without an appliance.
type checker struct {
	doc      *tomlfile.Doc   // of the step that is looked at
	last     boards.Duration // the time of the last step that has one
	captured map[string]bool // by the steps before
	found    []string        // by this one
	elements int             // of all regular expressions
}

func (c *checker) scenario(s *Scenario) {
	own := c.doc
	if s.Appliance == "" {
		c.doc.Add("appliance", `the scenario has no appliance: write appliance = "APPLIANCE.toml". (A file of steps for others to include has none: it is checked and played with them)`)
	}
	c.name("name", s.Name)
	if s.Clock != "" && s.Clock != Virtual && s.Clock != Real {
		c.doc.Add("clock", "clock is %q; it must be %q or %q", s.Clock, Virtual, Real)
	}
	if s.GuestLoss != "" && s.GuestLoss != LossFails && s.GuestLoss != LossContinues {
		c.doc.Add("on_guest_loss", "on_guest_loss is %q; it must be %q or %q", s.GuestLoss, LossFails, LossContinues)
	}
	if s.Stall < 0 {
		c.doc.Add("stall_limit", "stall_limit is negative")
	}
	if s.HostLimit < 0 {
		c.doc.Add("host_limit", "host_limit is negative")
	}
	if err := boards.CheckStart(s.Start); err != nil && c.doc.Has("start") {
		c.doc.Add("start", "%v", err)
	}
	if len(s.Step) == 0 && !c.doc.Has("step") {
		c.doc.Add("step", "the scenario has no steps: write a [[step]] for each")
	}
	if s.Len() > maxSteps {
		c.doc.Add("step", "the scenario has more than %d steps, with those that it repeats", maxSteps)
		return
	}
	c.steps(s.Step)
	if s.Player == "" && own.Has("player") {
		own.Add("player", "player must be a file of steps, such as \"player.toml\"")
	}
	if count(s.player) > maxSteps {
		own.Add("player", "the player has more than %d steps, with those that it repeats", maxSteps)
		return
	}
	c.last, c.captured = 0, make(map[string]bool) // it knows nothing of what the scenario has caught
	c.steps(s.player)
}

// steps checks steps in the order in which they are played, once each.
func (c *checker) steps(steps []Step) {
	for i := range steps {
		st := &steps[i]
		c.doc = st.doc
		c.step(st.path, st)
		for _, name := range c.found {
			c.captured[name] = true
		}
		c.found = nil
		if st.At != nil {
			if *st.At < c.last {
				c.doc.Add(st.path+".at", "the step before is at a later time: write steps in the order of their times")
			}
			c.last = *st.At
		}
		c.steps(st.steps)
	}
}

// having returns those of the keys that the table at path has.
func (c *checker) having(path string, keys []string) (found []string) {
	for _, k := range keys {
		if c.doc.Has(path + "." + k) {
			found = append(found, k)
		}
	}
	return found
}

func (c *checker) step(path string, st *Step) {
	acts := c.having(path, actionKeys())
	c.name(path+".name", st.Name)
	c.groups(path, st)
	if st.Include != "" {
		return
	}
	switch {
	case len(acts) == 0 && !c.doc.Has(path+".expect") && !c.doc.Has(path+".wait") && !c.doc.Has(path+".at"):
		c.doc.Add(path, "a step that does nothing: give it an action (%s), expect or wait", strings.Join(actionKeys(), ", "))
	case len(acts) > 1:
		c.doc.Add(path+"."+acts[1], "%s in a step that already has %s: write a step for each", acts[1], acts[0])
	}
	if st.At != nil && st.Wait > 0 {
		c.doc.Add(path+".wait", "wait in a step that has at: use one of them")
	}
	if c.doc.Has(path+".hold") && !c.doc.Has(path+"."+appliance.Press.Name) {
		c.doc.Add(path+".hold", "hold needs press")
	}
	for i := range st.deeds {
		c.text(path+"."+st.deeds[i].at, st.deeds[i].place)
		if st.Send == nil {
			c.text(path+"."+st.deeds[i].at, st.deeds[i].value)
		}
	}
	if st.Send != nil {
		c.send(path+".send", st.Send)
	}
	if st.Exec != nil {
		c.exec(path+".exec", st.Exec)
	}
	if st.Expect != nil {
		c.expect(path+".expect", st.Expect)
	}
}

// groups checks what makes more of a step than one.
func (c *checker) groups(path string, st *Step) {
	if c.doc.Has(path+".repeat") && st.Repeat < 1 {
		c.doc.Add(path+".repeat", "repeat is %d; it must be at least 1", st.Repeat)
	}
	if st.Repeat > 1 && st.At != nil {
		c.doc.Add(path+".at", "at in a repeated step: that time comes only once")
	}
	if !c.doc.Has(path + ".include") {
		return
	}
	if st.Include == "" {
		c.doc.Add(path+".include", "include must be a file of steps, such as \"login.toml\"")
	}
	for _, key := range c.having(path, append([]string{"at", "wait", "hold", "expect"}, actionKeys()...)) {
		c.doc.Add(path+"."+key, "%s in a step that includes a file: write a step for each", key)
	}
}

func (c *checker) send(path string, s *Send) {
	c.needed(path, "to")
	switch what := c.having(path, []string{"text", "hex"}); len(what) {
	case 0:
		c.doc.Add(path, "send needs text, or hex for bytes")
	case 2:
		c.doc.Add(path+".hex", "hex in a send that has text: write a step for each")
	}
	c.text(path+".text", s.Text)
	c.text(path+".hex", s.Hex)
	if c.doc.Has(path+".hex") && len(variables(s.Hex)) == 0 {
		if _, err := parseHex(s.Hex); err != nil {
			c.doc.Add(path+".hex", "hex: %v", err)
		}
	}
}

func (c *checker) exec(path string, e *Exec) {
	c.needed(path, "board", "command")
	c.place(path+".board", e.Board, 1, "board")
	if c.doc.Has(path+".command") && (len(e.Command) == 0 || e.Command[0] == "") {
		c.doc.Add(path+".command", "command must be a program and its arguments, such as [\"ls\", \"-l\"]")
	}
	for i, arg := range e.Command {
		c.text(fmt.Sprintf("%s.command[%d]", path, i), arg)
	}
	c.text(path+".stdin", e.Stdin)
	if e.Status < 0 || e.Status > 255 {
		c.doc.Add(path+".status", "status is %d; it must be 0 to 255", e.Status)
	}
	if c.doc.Has(path+".timeout") && e.Timeout == 0 {
		c.doc.Add(path+".timeout", "timeout must be longer than 0s")
	}
	c.capture(c.regexp(path+".output", lines+e.Output)...)
}

// needed says which keys a table lacks.
func (c *checker) needed(path string, keys ...string) {
	for _, k := range keys {
		if !c.doc.Has(path + "." + k) {
			c.doc.Add(path, "%s needs %s", path[strings.LastIndexByte(path, '.')+1:], k)
		}
	}
}

// place checks the number of names in a path; form is what it should be like.
func (c *checker) place(at, path string, names int, form string) {
	if !c.doc.Has(at) {
		return
	}
	c.text(at, path)
	if len(variables(path)) > 0 {
		return
	}
	parts := strings.Split(path, ".")
	wrong := len(parts) != names
	for _, p := range parts {
		wrong = wrong || p == ""
	}
	if wrong {
		c.doc.Add(at, "%q is not %s", path, form)
	}
}

// propertyPath checks the path of a property: of a part, of a segment
// ("lan.loss") or of a segment's port ("lan:sensor.eth0.tx.loss").
func (c *checker) propertyPath(at, path string) {
	segment, port, isPort := strings.Cut(path, ":")
	switch {
	case isPort && segment != "" && strings.Contains(port, ".") && !strings.Contains(port, ".."):
		c.text(at, path)
	case !isPort && strings.Count(path, ".") == 1:
		c.place(at, path, 2, "segment.setting")
	case strings.HasSuffix(path, ".missed") && strings.Count(path, ".") == 3:
		c.place(at, path, 4, "board.controller.line.missed")
	default:
		c.place(at, path, 3, "board.part.property, segment.setting or segment:board.port.setting")
	}
}

func (c *checker) console(at, name string) {
	if strings.Contains(name, ".") {
		c.place(at, name, 2, "board.uart, or board for its main console")
	} else {
		c.place(at, name, 1, "board.uart, or board for its main console")
	}
}

// name checks what reports call something.
func (c *checker) name(at, name string) {
	if len(name) > maxTitle {
		c.doc.Add(at, "name is %d bytes long; it may have %d", len(name), maxTitle)
	}
}

// maxVariables is how many values of earlier steps a text may have.
const maxVariables = 100

// text checks that what a text takes from earlier steps is there.
func (c *checker) text(at, text string) {
	names := variables(text)
	if len(names) > maxVariables {
		c.doc.Add(at, "the text has %d values of earlier steps in it; it may have %d", len(names), maxVariables)
		return
	}
	for _, name := range names {
		if !c.captured[name] {
			known := make([]string, 0, len(c.captured))
			for k := range c.captured {
				known = append(known, k)
			}
			c.doc.Add(at, "no step before this one captures ${%s}%s", name, periph.Suggest(name, known))
		}
	}
}

func (c *checker) capture(names ...string) {
	for _, n := range names {
		if n != "" {
			c.found = append(c.found, n)
		}
	}
}

// regexp checks a regular expression and returns the names of its groups.
func (c *checker) regexp(at, expr string) (names []string) {
	if expr == "" {
		return nil
	}
	c.text(at, expr)
	n, err := elements(expand(expr, nil, regexp.QuoteMeta))
	if c.elements += n; err == nil && n > maxElements {
		c.doc.Add(at, "the regular expression has %d elements, with those that it repeats; it may have %d", n, maxElements)
		return nil
	}
	if c.elements > maxAllElements {
		if c.elements-n <= maxAllElements {
			c.doc.Add(at, "the regular expressions up to here have more than %d elements together, with those that they repeat", maxAllElements)
		}
		return nil
	}
	if strings.Contains(expr, "\b") {
		c.doc.Add(at, `"\b" in double quotes is a backspace, not a word boundary: write the regular expression in single quotes`)
	}
	re, err := pattern(expr, nil)
	if err != nil {
		var why *syntax.Error
		if errors.As(err, &why) {
			err = fmt.Errorf("%s in %q", why.Code, why.Expr)
		}
		c.doc.Add(at, "not a regular expression: %v; the syntax is Go's regexp (RE2)", err)
		return nil
	}
	return re.SubexpNames()
}
