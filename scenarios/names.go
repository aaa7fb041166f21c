package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus"
)

// Check finds what the scenario names and its appliance does not have, and values
// that a property cannot be set to, before anything boots. Names that earlier steps
// capture are left to the run. The error is [tomlfile.Problems].
func (s *Scenario) Check(a *boards.Appliance) error {
	n := names{a: a.Clone(), found: make(map[*tomlfile.Doc]tomlfile.Problems)}
	each(s.Step, n.step)
	each(s.player, n.step)
	var all tomlfile.Problems
	for _, doc := range s.docs {
		all = append(all, sorted(n.found[doc])...)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// names holds steps against an appliance.
type names struct {
	a     *boards.Appliance
	st    *Step
	found map[*tomlfile.Doc]tomlfile.Problems
}

// add notes a mistake at a key of the step, if there is one.
func (n *names) add(key string, err error) {
	var inner tomlfile.Problems
	if doc := n.st.doc; errors.As(err, &inner) { // of a text in the step
		for _, p := range inner {
			p.File = "its toml"
			n.found[doc] = append(n.found[doc], doc.Problem(n.st.path+"."+key, "%s", p))
		}
	} else if err != nil {
		n.found[doc] = append(n.found[doc], doc.Problem(n.st.path+"."+key, "%v", err))
	}
}

// name checks a name that is known before the run.
func (n *names) name(key, name string, check func(string) error) {
	if name != "" && len(variables(name)) == 0 {
		n.add(key, check(expand(name, nil, plain)))
	}
}

func (n *names) step(st *Step) {
	n.st = st
	for i := range st.deeds {
		n.add(st.deeds[i].check(n.a))
		n.add(st.deeds[i].then(n.a))
	}
	if st.Exec != nil {
		n.name("exec.board", st.Exec.Board, n.a.CheckBoard)
	}
	if st.Expect == nil {
		return
	}
	n.want("expect", &st.Expect.Want)
	for i := range st.Expect.All {
		n.want(fmt.Sprintf("expect.all[%d]", i), &st.Expect.All[i])
	}
	for i := range st.Expect.Any {
		n.want(fmt.Sprintf("expect.any[%d]", i), &st.Expect.Any[i])
	}
}

// want checks one thing that is expected, which stands at a key of the step.
func (n *names) want(key string, e *Want) {
	n.name(key+".console", e.Console, n.a.CheckConsole)
	n.name(key+".line", e.Line, n.a.CheckLine)
	n.name(key+".property", e.Property, func(path string) error { return n.property(key, e, path) })
	n.name(key+".frames", e.Frames, n.a.CheckFrames)
	if e.From != "" && len(variables(e.Frames)) == 0 && n.a.CheckSegment(e.Frames) == nil {
		n.name(key+".from", e.From, func(port string) error { return n.a.CheckPort(e.Frames, port) })
	}
	if e.Event != "" {
		n.event(key, e)
	}
}

// property checks the path of a property that is read, and whether it can be as it
// is expected to be.
func (n *names) property(key string, e *Want, path string) error {
	p, err := n.a.Property(path)
	if err != nil {
		return err
	}
	if err := p.CheckGet(); err != nil {
		return err
	}
	if e.Above != nil {
		n.add(key+".above", p.CheckReach(*e.Above, math.Inf(1), true))
	}
	if e.Below != nil {
		n.add(key+".below", p.CheckReach(math.Inf(-1), *e.Below, true))
	}
	if e.Between != nil {
		n.add(key+".between", p.CheckReach(e.Between[0], e.Between[1], false))
	}
	if e.Equals != nil && len(variables(e.Equals.String())) == 0 {
		n.add(key+".equals", p.CheckEquals(expand(e.Equals.String(), nil, plain)))
	}
	return nil
}

// event checks the kind of an event, and what is said of it.
func (n *names) event(key string, e *Want) {
	if len(variables(e.Event)) > 0 {
		return
	}
	kinds := EventKinds(n.a.Catalog())
	kind, ok := simbus.FindKind(kinds, e.Event)
	if !ok {
		var known []string
		for _, k := range kinds {
			known = append(known, k.Name)
		}
		n.add(key+".event", fmt.Errorf("there is no kind of event %q%s", e.Event, periph.Suggest(e.Event, known)))
		return
	}
	known := append(kind.Keys(), "board", "part")
	for _, attr := range slices.Sorted(maps.Keys(e.Where)) {
		where := key + ".where." + attr
		if !slices.Contains(known, attr) {
			n.add(where, fmt.Errorf("an event %q has no attribute %q%s", e.Event, attr, periph.Suggest(attr, known)))
		} else if what, values := n.values(kind, attr, e.Where); values != nil {
			n.add(where, someMatch(what, e.Where[attr], values))
		}
	}
}

// values are all that an attribute of such events can be, nil for anything, and what
// those are called.
func (n *names) values(kind *simbus.Kind, attr string, where map[string]string) (what string, values []string) {
	switch attr {
	case "board":
		return attr, n.a.BoardNames()
	case "part":
		re, err := pattern(where["board"], nil)
		return attr, n.a.PartNames(func(board string) bool {
			return err != nil || len(variables(where["board"])) > 0 || re.MatchString(board)
		})
	}
	for i := range kind.Attrs {
		if kind.Attrs[i].Key == attr {
			if of := kind.Attrs[i].Names; of != "" {
				return string(of), n.a.EventNames(of)
			}
			return attr, slices.Clone(kind.Attrs[i].Values)
		}
	}
	return attr, nil
}

// someMatch finds a regular expression that none of the names can match.
func someMatch(what, expr string, names []string) error {
	re, err := pattern(expr, nil)
	if err != nil || len(variables(expr)) > 0 || slices.ContainsFunc(names, re.MatchString) {
		return nil
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
	if len(names) == 0 {
		return errors.New("the appliance has no " + what)
	}
	return fmt.Errorf("there is no %s that %q could match%s", what, re, periph.Suggest(strings.Trim(expr, "^$"), names))
}
