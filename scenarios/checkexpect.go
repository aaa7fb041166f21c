package scenarios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// subjects are what an expectation can be about, with the keys that go with
// each beside never and within.
var subjects = []struct {
	key  string
	with []string
}{
	{"console", []string{"match", "count"}},
	{"property", []string{"equals", "above", "below", "between", "capture"}},
	{"line", []string{"level", "edge", "count"}},
	{"frames", []string{"match", "from", "count"}},
	{"event", []string{"where", "count"}},
}

var captureName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c *checker) expect(path string, e *Expect) {
	if c.doc.Has(path+".within") && e.Within == 0 {
		c.doc.Add(path+".within", "within must be longer than 0s")
	}
	switch several := c.having(path, []string{"all", "any"}); {
	case len(several) == 0:
		c.capture(c.want(path, &e.Want)...)
		if e.Never {
			c.needed(path, "within")
		}
	case len(several) == 2:
		c.doc.Add(path+".any", "any in an expectation that has all: write a step for each")
	default:
		c.several(path, several[0], e)
	}
}

// several checks an expectation of several things.
func (c *checker) several(path, key string, e *Expect) {
	for _, k := range c.having(path, append(subjectKeys(), "match", "equals", "above", "below", "between", "capture",
		"level", "edge", "from", "where", "count", "never")) {
		c.doc.Add(path+"."+k, "%s beside %s: move it into one of the { } of %s", k, key, key)
	}
	wants := e.wants()
	if len(e.All)+len(e.Any) == 0 {
		c.doc.Add(path+"."+key, "%s is empty: give it a { } for each expected thing", key)
		return
	}
	nevers := 0
	common := make(map[string]int)
	for i, w := range wants {
		at := fmt.Sprintf("%s.%s[%d]", path, key, i)
		for _, name := range c.want(at, w) {
			common[name]++
		}
		if w.Never {
			nevers++
			if key == "any" {
				c.doc.Add(at+".never", "never has no meaning in any: write a step for it")
			}
		}
	}
	if nevers > 0 && nevers == len(wants) {
		c.needed(path, "within")
	}
	for name, n := range common { // of any, only what each of them captures is certain
		if key == "all" || n == len(wants) {
			c.capture(name)
		}
	}
}

// want checks one thing that is expected, and returns what it captures.
func (c *checker) want(path string, e *Want) (names []string) {
	switch c.subject(path) {
	case "console":
		c.console(path+".console", e.Console)
		c.needed(path, "match")
	case "property":
		c.property(path, e)
	case "line":
		c.place(path+".line", e.Line, 3, "board.controller.line")
		c.line(path, e)
	case "frames":
		c.place(path+".frames", e.Frames, 1, "the name of a segment")
		c.place(path+".from", e.From, min(2, 1+strings.Count(e.From, ".")), "board.port, or a gateway")
	case "event":
		if e.Event == "" {
			c.doc.Add(path+".event", "event must be the kind of an event, such as \"gpio\" or \"guest\"")
		}
	}
	if e.Count < 1 && c.doc.Has(path+".count") {
		c.doc.Add(path+".count", "count is %d; it must be at least 1", e.Count)
	}
	names = c.regexp(path+".match", e.Match)
	for _, key := range slices.Sorted(maps.Keys(e.Where)) {
		names = append(names, c.regexp(path+".where."+key, e.Where[key])...)
	}
	if e.Never {
		if c.doc.Has(path + ".capture") {
			c.doc.Add(path+".capture", "capture has no meaning with never")
		}
		return nil
	}
	return slices.DeleteFunc(append(names, e.Capture), func(name string) bool { return name == "" })
}

func subjectKeys() []string {
	keys := make([]string, len(subjects))
	for i, s := range subjects {
		keys[i] = s.key
	}
	return keys
}

// subject finds what the expectation is about, and the keys that do not go with it.
func (c *checker) subject(path string) string {
	keys := subjectKeys()
	about := c.having(path, keys)
	if len(about) == 0 {
		c.doc.Add(path, "expect has no subject: use one of %s, or all or any for several", strings.Join(keys, ", "))
		return ""
	}
	if len(about) > 1 {
		c.doc.Add(path+"."+about[1], "%s in an expectation about %s: write all = [{ %s }, { %s }], or any", about[1], about[0], about[0], about[1])
	}
	allowed := subjects[slices.Index(keys, about[0])].with
	told := make(map[string]bool)
	for _, s := range subjects {
		for _, key := range s.with {
			if !told[key] && !slices.Contains(allowed, key) && c.doc.Has(path+"."+key) {
				told[key] = true
				c.doc.Add(path+"."+key, "%s does not go with %s: there are %s", key, about[0], strings.Join(allowed, ", "))
			}
		}
	}
	return about[0]
}

func (c *checker) property(path string, e *Want) {
	c.propertyPath(path+".property", e.Property)
	tests := c.having(path, []string{"equals", "above", "below", "between", "capture"})
	if len(tests) == 0 {
		c.doc.Add(path, "expect needs equals, above, below, between or capture for a property")
	}
	if e.Equals != nil {
		c.text(path+".equals", e.Equals.String())
	}
	if c.doc.Has(path+".between") && (len(e.Between) != 2 || e.Between[0] > e.Between[1]) {
		c.doc.Add(path+".between", "between must be the lowest and the highest value, such as [1, 2]")
	}
	if c.doc.Has(path+".capture") && !captureName.MatchString(e.Capture) {
		c.doc.Add(path+".capture", "%q is not a name for a capture: use letters, digits and _", e.Capture)
	}
}

func (c *checker) line(path string, e *Want) {
	switch tests := c.having(path, []string{"level", "edge"}); {
	case len(tests) == 0:
		c.doc.Add(path, "expect needs level or edge for a line")
	case len(tests) == 2:
		c.doc.Add(path+".edge", "edge in an expectation that has level: write a step for each")
	}
	if e.Level != nil && *e.Level != 0 && *e.Level != 1 {
		c.doc.Add(path+".level", "level is %d; it must be 0 or 1", *e.Level)
	}
	if e.Level != nil && c.doc.Has(path+".count") {
		c.doc.Add(path+".count", "count needs edge, not level")
	}
	if c.doc.Has(path+".edge") && edges[e.Edge] == "" {
		c.doc.Add(path+".edge", "edge is %q; it must be rising, falling or both", e.Edge)
	}
}
